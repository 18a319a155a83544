"""Erasures over the API: ask for one, and follow its receipt."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from cdp.common.access import record_access
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.errors import CdpError
from cdp.common.reasons import reason_text
from consent.models import Erasure
from consent.services.erasing import request_erasure
from profiles.models import Profile
from profiles.querysets.lookup import find_person

STATES = ("waiting", "removed", "done")


class ErasureInput(StrictSerializer):
    """Whom to erase, and why."""

    profile_id = serializers.CharField(max_length=400, help_text="The person: an id, or `kind:value`.")
    reason = serializers.CharField(max_length=200, help_text="Kept with the receipt, without the person's own words.")


class PlaceSerializer(serializers.Serializer[Any]):
    """Where words of the person still stand."""

    table = serializers.CharField()
    column = serializers.CharField()
    rows = serializers.IntegerField()


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    """The receipt of an erasure: what was removed, and nothing about whom."""

    id = serializers.SerializerMethodField(help_text="That of the person.")
    state = serializers.SerializerMethodField(help_text="waiting; removed: nobody finds them any more; done")
    requested_at = serializers.DateTimeField(source="at", read_only=True)
    requested_by = serializers.CharField(source="actor", read_only=True)
    removed_at = serializers.DateTimeField(source="taken_out_at", read_only=True, allow_null=True)
    finished_at = serializers.DateTimeField(read_only=True, allow_null=True)
    removed = serializers.DictField(
        source="counts", child=serializers.IntegerField(), read_only=True, help_text="Rows by table."
    )
    notes = serializers.SerializerMethodField(help_text="What of others named the person and was changed.")
    left = serializers.SerializerMethodField(help_text="Places where words of the person still stand.")

    class Meta:
        model = Erasure
        fields: ClassVar[Any] = [
            "id",
            "state",
            "reason",
            "requested_at",
            "requested_by",
            "removed_at",
            "finished_at",
            "removed",
            "notes",
            "left",
        ]
        read_only_fields = fields

    def get_id(self, row: Erasure) -> str:
        """Return the id of the person, which the receipt bears too."""
        return str(self.context["ids"].get(row.profile_id, ""))

    def get_state(self, row: Erasure) -> str:
        """Return how far it is."""
        return "done" if row.finished_at else "removed" if row.taken_out_at else "waiting"

    def get_notes(self, row: Erasure) -> list[str]:
        """Return the notes as sentences."""
        return [reason_text(note["code"], note["params"]) for note in row.notes]

    def get_left(self, row: Erasure) -> list[dict[str, Any]]:
        """Return the places."""
        return [{"table": table, "column": column, "rows": rows} for table, column, rows in row.left.get("found", ())]


class ErasureViewSet(mixins.ListModelMixin, ApiViewSet[Erasure]):
    """Erasures. One is asked for here, done behind, and named by the id of the person."""

    queryset = Erasure.objects.all()
    serializer_class = ErasureSerializer
    lookup_field = "person"
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "consent.view_consentrecord",
        "retrieve": "consent.view_consentrecord",
        "create": "profiles.erase_profile",
    }

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the serializer, with the ids of the people of its rows."""
        rows = args[0] if args else ()
        rows = rows if isinstance(rows, list) else [rows] if isinstance(rows, Erasure) else []
        ids = dict(Profile.objects.filter(pk__in=[row.profile_id for row in rows]).values_list("pk", "uuid"))
        kwargs["context"] = {**self.get_serializer_context(), "ids": ids}
        return ErasureSerializer(*args, **kwargs)

    @extend_schema(request=ErasureInput, responses={202: ErasureSerializer})
    def create(self, request: Request) -> Response:
        """Ask for the erasure of a person; it begins within two minutes. Asked again, the receipt is the same."""
        given = self.given(ErasureInput)
        person = find_person(given["profile_id"], reader=request.user) or _erased(given["profile_id"])
        if person is None:
            raise CdpError("unknown_person", _("There is no such person."), place="profile_id")
        receipt = request_erasure(profile_id=person.pk, actor=request.user, reason=given["reason"])
        record_access(
            request=request, action="profile.erasure_requested", object_kind="profile", object_id=str(person.uuid)
        )
        address = str(reverse("erasures-detail", args=[person.uuid], request=request))
        return Response(self.get_serializer(receipt).data, status=202, headers={"Location": address})

    @extend_schema(
        parameters=[OpenApiParameter("person", OpenApiTypes.UUID, OpenApiParameter.PATH)], responses=ErasureSerializer
    )
    def retrieve(self, request: Request, person: str) -> Response:
        """Return the receipt."""
        erased = _erased(person)
        receipt = Erasure.objects.filter(profile_id=erased.pk).first() if erased else None
        if receipt is None:
            raise CdpError("not_found", _("There is no such erasure."), status=404)
        return Response(self.get_serializer(receipt).data)


def _erased(text: str) -> Profile | None:
    try:
        return Profile.objects.filter(uuid=UUID(text)).first()
    except ValueError:
        return None
