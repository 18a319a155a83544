"""Imports over the REST API: upload, see the dry run, confirm, follow, undo."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_look
from cdp.common.api import StrictJSONParser
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_pages import keyset_pages
from cdp.common.api_views import ApiViewSet
from cdp.common.errors import CdpError
from cdp.common.filters import narrowed
from cdp.common.masking import Reader, reader_of
from profiles.filters import ImportFilters, ImportRowFilters
from profiles.importing import services as service
from profiles.importing.reasons import error_text, explain
from profiles.models import Import, ImportRow
from profiles.models.imports import Outcome
from profiles.querysets.imports import with_people


class ImportSerializer(serializers.ModelSerializer[Import]):
    """An import. `counts` holds outcomes, reasons, changed traits and what registered targets would do or did."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    error = serializers.SerializerMethodField(help_text="`error_code` as a sentence")

    class Meta:
        model = Import
        fields: tuple[str, ...] = (
            "id",
            "name",
            "state",
            "encoding",
            "delimiter",
            "header",
            "mapping",
            "counts",
            "planned",
            "rows_total",
            "rows_done",
            "error_code",
            "error",
            "created_at",
            "checked_at",
            "finished_at",
        )
        read_only_fields = fields

    def to_representation(self, instance: Import) -> dict[str, Any]:
        """Mask the name of the file and what its columns are called."""
        data = super().to_representation(instance)
        reader = reader_of(self.context["request"])
        if not reader.sees_people:
            data["name"] = reader.outside(data["name"])
            data["header"] = [reader.key(str(name)) for name in data["header"] or ()]
            data["mapping"] = {}
        return data

    def get_error(self, job: Import) -> str:
        """Return why the import stopped, in the reader's language."""
        return error_text(job)


class ImportInput(StrictSerializer):
    """A file, and how to read it. Without a mapping the import waits with a suggested one."""

    file = serializers.FileField()
    mapping = serializers.CharField(required=False, help_text="JSON: {match, columns: [{header, target, type, rule}]}")
    encoding = serializers.CharField(required=False)
    delimiter = serializers.CharField(required=False, max_length=1, trim_whitespace=False)
    proof = serializers.CharField(required=False, help_text="JSON: {source, obtained_on, wording}")


class CheckInput(StrictSerializer):
    """A mapping to run the dry run with."""

    mapping = serializers.JSONField()
    proof = serializers.JSONField(required=False)


class LeftOutSerializer(serializers.Serializer[Any]):
    """A cell that a row came in without."""

    column = serializers.CharField()
    code = serializers.CharField()


class RowSerializer(serializers.Serializer[ImportRow]):
    """A row of the file: what it did or would do, and why not."""

    line = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    code = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True, help_text="`code` as a sentence")
    profile_id = serializers.UUIDField(allow_null=True)
    identifiers = serializers.DictField()
    values = serializers.DictField()
    changes = serializers.DictField(help_text="trait: [old, new]")
    cells = serializers.ListField(child=serializers.CharField(), allow_null=True)
    left_out = LeftOutSerializer(
        many=True, help_text="cells that do not fit their column; the row goes on without them"
    )


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CdpError("import.json_invalid", _("This part must be JSON."), place=place) from None


class ImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Import]):
    """Bring contact files in. Nothing is written to people before `confirm`."""

    queryset = Import.objects.all()
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    serializer_class = ImportSerializer
    filterset_class = ImportFilters
    bodyless = frozenset({"confirm", "pause", "resume", "cancel", "undo"})
    parser_classes = (StrictJSONParser, MultiPartParser)
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "profiles.view_import",
        "retrieve": "profiles.view_import",
        "rows": "profiles.view_import",
        "create": "profiles.add_import",
        "check": "profiles.add_import",
        "*": "profiles.change_import",
    }

    def _answer(self, job: Import, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(job).data, status=code)

    def _number(self) -> int:
        return int(self.get_object().pk)

    @extend_schema(request={"multipart/form-data": ImportInput}, responses={201: ImportSerializer})
    def create(self, request: Request) -> Response:
        """Upload a file. With a mapping the dry run starts at once."""
        form = ImportInput(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        job = service.receive_file(upload=data["file"], name=data["file"].name or "", actor=request.user)
        if data.get("encoding") or data.get("delimiter"):
            job = service.set_reading(
                import_id=job.pk,
                encoding=data.get("encoding") or job.encoding,
                delimiter=data.get("delimiter") or job.delimiter,
            )
        if data.get("mapping"):
            proof = _json(data["proof"], "proof") if data.get("proof") else None
            job = service.start_check(import_id=job.pk, mapping=_json(data["mapping"], "mapping"), proof=proof)
        return self._answer(job, status.HTTP_201_CREATED)

    @extend_schema(request=CheckInput, responses=ImportSerializer)
    @action(detail=True, methods=["post"], parser_classes=(StrictJSONParser,))
    def check(self, request: Request, id: str) -> Response:
        """Run the dry run with a mapping."""
        form = CheckInput(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        return self._answer(
            service.start_check(import_id=self._number(), mapping=data["mapping"], proof=data.get("proof"))
        )

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, id: str) -> Response:
        """Agree to the dry run: people are created and changed."""
        return self._answer(service.confirm_import(import_id=self._number(), actor=request.user))

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, id: str) -> Response:
        """Stop after the block at work."""
        return self._answer(service.pause_import(import_id=self._number()))

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, id: str) -> Response:
        """Go on after a pause or a failure."""
        return self._answer(service.resume_import(import_id=self._number()))

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Response:
        """Stop for good; what is written stays and can be undone."""
        return self._answer(service.cancel_import(import_id=self._number()))

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, id: str) -> Response:
        """Take back what the import wrote, as far as nobody changed it since."""
        return self._answer(service.start_undo(import_id=self._number(), actor=request.user))

    @extend_schema(responses=RowSerializer(many=True))
    @action(
        detail=True,
        methods=["get"],
        pagination_class=keyset_pages("line", key=("line",)),
        filterset_class=ImportRowFilters,
    )
    def rows(self, request: Request, id: str) -> Response:
        """List rows by line: what each did or would do, and why not."""
        job = self.get_object()
        rows: Any = narrowed(request, ImportRow.objects.filter(import_id=job.pk), ImportRowFilters)
        page = with_people(self.paginate_queryset(rows) or [])
        record_look(
            request, "import.rows_viewed", [getattr(row, "profile", None) for row in page],
            object_kind="import", object_id=str(job.uuid), even_nobody=True,
        )  # fmt: skip
        reader = reader_of(request)
        return self.get_paginated_response([_row(row, reader) for row in page])


def _row(row: ImportRow, reader: Reader) -> dict[str, Any]:
    """Return a row as a reader may see it."""
    data = row.data or {}
    values = {name: value for part in "tfn" for name, value in data.get(part, {}).items()}
    changes = {name: change[:2] for name, change in (row.changes or {}).items()}
    profile = getattr(row, "profile", None)
    return {
        "line": row.line,
        "outcome": row.outcome,
        "code": row.reason,
        "reason": reader.text(explain(row.reason, row.params)) if row.reason else "",
        "profile_id": str(profile.uuid) if profile else None,
        "identifiers": {kind: reader.identifier(kind, value) for kind, value in data.get("i", [])},
        "values": {reader.key(name): reader.trait(name, value) for name, value in values.items()},
        "changes": {reader.key(name): [reader.trait(name, value) for value in pair] for name, pair in changes.items()},
        "cells": row.cells if reader.sees_people else None,
        "left_out": [{"column": reader.text(column), "code": code} for column, code in data.get("w", [])],
    }
