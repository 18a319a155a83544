"""What people did, over the REST API. Read only: events come in by the collection API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_look
from cdp.common.api_pages import keyset_pages
from cdp.common.api_views import ApiViewSet
from cdp.common.filters import PAGING
from cdp.common.masking import Reader, reader_of
from cdp.common.public_ids import derived_id
from profiles.api.context import shown_context
from profiles.filters import InteractionFilters
from profiles.models import Interaction, Profile, Source

#: newest first; a row never changes its time or id, so a walk misses nothing that was there when it began
InteractionPages = keyset_pages("-occurred_at", key=("id",))


class InteractionSerializer(serializers.ModelSerializer[Interaction]):
    """One thing a person did. `id` is made of the source and the message id: it outlives a replay."""

    id = serializers.SerializerMethodField()
    profile_id = serializers.SerializerMethodField()
    source_id = serializers.SerializerMethodField()

    class Meta:
        model = Interaction
        fields: ClassVar[Any] = [
            "id",
            "occurred_at",
            "received_at",
            "kind",
            "name",
            "properties",
            "context",
            "message_id",
            "source_id",
            "profile_id",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.UUID)
    def get_id(self, row: Interaction) -> str:
        """Return the id: a message counts once per source, whatever is retried or replayed."""
        return str(derived_id("interaction", self.get_source_id(row), row.message_id))

    @extend_schema_field({"type": "string", "format": "uuid", "nullable": True})
    def get_profile_id(self, row: Interaction) -> str | None:
        """Return the public id of the person."""
        known = self.context["people"].get(row.profile_id)
        return str(known) if known else None

    def get_source_id(self, row: Interaction) -> str:
        """Return the id of the source, its short name."""
        return str(self.context["sources"].get(row.source_id, ""))

    def to_representation(self, instance: Interaction) -> dict[str, Any]:
        """Mask what the reader may not see."""
        data = super().to_representation(instance)
        reader: Reader = self.context["reader"]
        data["context"] = shown_context(instance.context, reader)
        data["properties"] = reader.properties(instance.name, data["properties"])
        data["name"] = reader.event(instance.name)
        data["message_id"] = reader.message_id(instance.message_id)
        return data


def serialized(rows: Sequence[Interaction], request: Request) -> Any:
    """Return a page of interactions for the answer."""
    people = dict(Profile.objects.filter(pk__in={row.profile_id for row in rows}).values_list("pk", "uuid"))
    reader = reader_of(request)
    reader.events(row.name for row in rows)  # all in one query
    sources = dict(Source.objects.filter(pk__in={row.source_id for row in rows}).values_list("pk", "slug"))
    context = {"request": request, "people": people, "sources": sources, "reader": reader}
    return InteractionSerializer(rows, many=True, context=context).data


class InteractionViewSet(mixins.ListModelMixin, ApiViewSet[Interaction]):
    """Interactions of everybody, newest first."""

    queryset = Interaction.objects.all()
    serializer_class = InteractionSerializer
    pagination_class = InteractionPages
    filterset_class = InteractionFilters
    required_permissions: ClassVar[dict[str, str]] = {"list": "profiles.view_interaction"}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List interactions, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        answer = serialized(page, request)
        people, filters = [row["profile_id"] for row in answer], sorted({*request.query_params} - PAGING)
        record_look(request, "interaction.listed", people, detail={"filters": filters}, even_nobody=True)
        return self.get_paginated_response(answer)
