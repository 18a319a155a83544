"""Bulk exports over the API: ask, follow, fetch the file, cancel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from cdp.common.access import record_access
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.errors import CdpError, NotAllowed
from cdp.common.exports import export_kinds
from cdp.common.filters import ChoiceFilter, ListFilters
from cdp.common.masking import can_see_pii
from profiles.exporting.files import path_of
from profiles.exporting.jobs import cancel_export, create_export
from profiles.models import Export
from profiles.models.export import ExportFormat, ExportState

#: one read of the file
CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
TEXTS = {
    "export.failed": gettext_lazy("It failed several times and was given up."),
    "export.not_allowed": gettext_lazy("Whoever asked for it may not export these any more."),
    "export.erasures": gettext_lazy("People were erased while it was written, again and again. Ask for it anew."),
    "export.person_erased": gettext_lazy("Somebody was erased, so the file was deleted. Ask for it anew."),
    "export.deleted": gettext_lazy("The file was deleted on request."),
}


class ExportInput(StrictSerializer):
    """What to export, and how."""

    kind = serializers.CharField(max_length=40, help_text="people, events, members, deliveries or consent_records")
    format = serializers.ChoiceField(choices=ExportFormat.choices, default=ExportFormat.NDJSON)
    filters = serializers.DictField(
        child=serializers.CharField(max_length=400, allow_blank=True),
        required=False,
        default=dict,
        help_text="The filters of the list of the same rows; members need `segment_id`.",
    )
    include = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        allow_null=True,
        default=None,
        max_length=20,
        help_text="Parts of people: traits, identifiers, segments, permissions. Without it all that you may see.",
    )


class ExportSerializer(serializers.ModelSerializer[Export]):
    """An export. Its file shows the database as it was at `snapshot_at`, whatever was written meanwhile."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    include = serializers.ListField(child=serializers.CharField(), source="parts", read_only=True)
    filters = serializers.DictField(child=serializers.CharField(), read_only=True)
    message = serializers.SerializerMethodField(help_text="`code` as a sentence")
    snapshot_at = serializers.DateTimeField(source="as_of", read_only=True, allow_null=True)
    download_url = serializers.SerializerMethodField(help_text="null until it is done, and when the file is gone")

    class Meta:
        model = Export
        fields: ClassVar[Any] = [
            "id",
            "kind",
            "format",
            "filters",
            "include",
            "state",
            "rows",
            "size",
            "code",
            "message",
            "created_at",
            "started_at",
            "snapshot_at",
            "finished_at",
            "expires_at",
            "download_url",
        ]
        read_only_fields = fields

    def get_message(self, job: Export) -> str:
        """Return why it failed, or why its file is gone."""
        return str(TEXTS.get(job.code, ""))

    def get_download_url(self, job: Export) -> str | None:
        """Return the address of the file."""
        if job.state != ExportState.DONE or _is_over(job):
            return None
        return str(reverse("exports-download", args=[job.uuid], request=self.context.get("request")))


def _is_over(job: Export) -> bool:
    return job.expires_at is not None and job.expires_at <= timezone.now()


class ExportFilters(ListFilters):
    """Bulk exports."""

    state = ChoiceFilter(label=gettext_lazy("State"), choices=ExportState.choices)


class ExportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Export]):
    """Bulk exports as files of compressed JSON lines or CSV, written behind and kept for days."""

    queryset = Export.objects.all()
    serializer_class = ExportSerializer
    filterset_class = ExportFilters
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    bodyless = frozenset({"cancel"})
    bulk_actions = frozenset({"create", "download"})
    required_permissions: ClassVar[dict[str, str]] = {"*": "profiles.export_profile"}

    @extend_schema(request=ExportInput, responses={202: ExportSerializer})
    def create(self, request: Request) -> Response:
        """Ask for an export. Follow it at its own address until `state` is `done`."""
        given = self.given(ExportInput)
        job = create_export(
            kind=given["kind"],
            format=given["format"],
            filters=given["filters"],
            parts=given["include"],
            actor=request.user,
        )
        self._log("export.created", job)
        answer = self.get_serializer(job).data
        address = str(reverse("exports-detail", args=[job.uuid], request=request))
        return Response(answer, status=202, headers={"Location": address})

    @extend_schema(request=None, responses=ExportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Response:
        """Stop it; of one that is done, delete the file."""
        job = cancel_export(export_id=self._job(id).pk)
        self._log("export.cancelled", job)
        return Response(self.get_serializer(job).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("Range", OpenApiTypes.STR, OpenApiParameter.HEADER, description="bytes=0-1048575")
        ],
        responses={
            (200, "application/gzip"): OpenApiTypes.BINARY,
            (206, "application/gzip"): OpenApiTypes.BINARY,
            416: OpenApiResponse(description="There is no such range."),
        },
    )
    @action(detail=True, methods=["get"])
    def download(self, request: Request, id: str) -> HttpResponseBase:
        """Fetch the file, compressed by gzip; a part of it with `Range`, to go on after a broken connection."""
        job = self._job(id)
        path = path_of(job)
        if job.state != ExportState.DONE or _is_over(job) or not path.exists():
            raise CdpError("export.no_file", _("This export has no file now."), status=409)
        size = path.stat().st_size
        first, last, partial = _asked_range(request.headers.get("Range", ""), size)
        if first == 0:
            self._log("export.downloaded", job)
        response = StreamingHttpResponse(
            _chunks(path, first, last), status=206 if partial else 200, content_type="application/gzip"
        )
        response["Content-Length"] = str(last - first + 1)
        response["Content-Disposition"] = f'attachment; filename="{job.file_name}"'
        response["Accept-Ranges"] = "bytes"
        response["ETag"] = f'"{job.uuid}"'
        response["Cache-Control"] = "no-store"
        if partial:
            response["Content-Range"] = f"bytes {first}-{last}/{size}"
        return response

    def _job(self, uuid: str) -> Export:
        try:
            job = Export.objects.filter(uuid=UUID(uuid)).first()
        except ValueError:
            job = None
        if job is None:
            raise CdpError("not_found", _("There is no such export."), status=404)
        permission = export_kinds.get(job.kind).permission
        if not self.request.user.has_perm(permission) or (job.open_names and not can_see_pii(self.request.user)):
            raise NotAllowed(_("You may not have what this export holds."))
        return job

    def _log(self, what: str, job: Export) -> None:
        detail = {"kind": job.kind, "format": job.format, "rows": job.rows, "include": job.parts}
        record_access(request=self.request, action=what, object_kind="export", object_id=str(job.uuid), detail=detail)


def _asked_range(header: str, size: int) -> tuple[int, int, bool]:
    """Return (first byte, last byte, whether it is a part); what is no single range of bytes asks for all."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return 0, size - 1, False
    start, end = found.groups()
    if not start:
        first, last = max(0, size - int(end[:18])), size - 1
    else:
        first, last = int(start[:18]), min(int(end[:18]), size - 1) if end else size - 1
    if first > last or first >= size:
        raise CdpError(
            "range_invalid", _("The file has no such range; it has %(size)s bytes.") % {"size": size}, status=416
        )
    return first, last, True


def _chunks(path: Path, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first + 1
        while left > 0 and (data := file.read(min(CHUNK, left))):
            left -= len(data)
            yield data
