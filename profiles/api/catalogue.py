"""The catalogue of traits, events and their properties over the API: what there is, and what it means."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.filters import ChoiceFilter, TextFilter
from cdp.common.masking import reader_of
from profiles.catalogue.types import ALL_TYPES
from profiles.filters import CatalogueSearch
from profiles.models import CatalogueEntry, Source
from profiles.models.catalogue import CatalogueScope, PiiClass
from profiles.querysets.catalogue import frequent_values
from profiles.services.catalogue import MAX_DESCRIPTION, announce_entry, describe_entry, forget_entry


class EntrySerializer(serializers.ModelSerializer[CatalogueEntry]):
    """A trait, an event, or a property of an event."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    types = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="Values seen, by type; 0 where one was announced."
    )
    values = serializers.SerializerMethodField(help_text="The most frequent; what few people have is not shown.")
    source_ids = serializers.SerializerMethodField(help_text="Where values came from.")
    pii = serializers.CharField(read_only=True, help_text="`open`, `personal`, or empty: not decided, masked.")

    class Meta:
        model = CatalogueEntry
        fields: ClassVar[Any] = [
            "id",
            "scope",
            "event",
            "path",
            "types",
            "count",
            "people",
            "values",
            "source_ids",
            "first_seen_at",
            "last_seen_at",
            "declared_at",
            "description",
            "pii",
        ]
        read_only_fields = fields

    def get_values(self, entry: CatalogueEntry) -> list[str]:
        """Return the frequent values, those that the reader may see."""
        return reader_of(self.context["request"]).frequent(entry.event, entry.path, frequent_values(entry))

    def get_source_ids(self, entry: CatalogueEntry) -> list[str]:
        """Return the sources that still are, by their short names."""
        return [self.context["sources"][pk] for pk in entry.source_ids if pk in self.context["sources"]]

    def to_representation(self, instance: CatalogueEntry) -> dict[str, Any]:
        """Mask names that one person may be named in."""
        data = super().to_representation(instance)
        reader = reader_of(self.context["request"])
        return data | {"event": reader.event(instance.event), "path": reader.key(instance.path)}


class EntryInput(StrictSerializer):
    """What will come."""

    scope = serializers.ChoiceField(choices=CatalogueScope.choices)
    event = serializers.CharField(max_length=200, required=False, default="", help_text="Of events and properties.")
    path = serializers.CharField(max_length=200, required=False, default="", help_text="Of traits and properties.")
    type = serializers.ChoiceField(
        choices=[(name, name) for name in ALL_TYPES], required=False, default="", help_text="Not of events."
    )
    description = serializers.CharField(max_length=MAX_DESCRIPTION, required=False, default="", allow_blank=True)


class EntryChange(StrictSerializer):
    """What can be changed."""

    description = serializers.CharField(max_length=MAX_DESCRIPTION, allow_blank=True, required=False)
    pii = serializers.ChoiceField(
        choices=PiiClass.choices,
        allow_blank=True,
        required=False,
        help_text="Values of what is `open` may be read by everybody, `personal` and undecided ones are masked.",
    )


class EntryFilters(CatalogueSearch):
    """The catalogue."""

    scope = ChoiceFilter(label="Scope", choices=CatalogueScope.choices)
    event = TextFilter(label="Name of the event", method="filter_event")
    pii = ChoiceFilter(label="Class", choices=PiiClass.choices)

    def filter_event(self, rows: Any, _name: str, value: str) -> Any:
        """Keep an event with its properties; a name that the reader would not be shown finds nothing."""
        return rows.filter(event=value) if reader_of(self.request).shows_event(value) else rows.none()


class CatalogueViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[CatalogueEntry]):
    """What traits, events and properties there are: types, how much of each, frequent values."""

    queryset = CatalogueEntry.objects.all()
    serializer_class = EntrySerializer
    filterset_class = EntryFilters
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "profiles.view_catalogueentry",
        "retrieve": "profiles.view_catalogueentry",
        "*": "profiles.change_catalogueentry",
    }

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the sources that there are."""
        return {**super().get_serializer_context(), "sources": dict(Source.objects.values_list("pk", "slug"))}

    @extend_schema(request=EntryInput, responses={201: EntrySerializer})
    def create(self, request: Request) -> Response:
        """Announce what will come, so that rules may name it."""
        entry = announce_entry(actor=request.user, **self.given(EntryInput))
        return Response(self.get_serializer(entry).data, status=201)

    @extend_schema(request=EntryChange, responses=EntrySerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Say what an entry means."""
        entry = self.get_object()
        given = {"description": entry.description, **self.given(EntryChange)}
        entry = describe_entry(entry_id=entry.pk, actor=request.user, **given)
        return Response(self.get_serializer(entry).data)

    def destroy(self, request: Request, id: str) -> Response:
        """Take an entry out, an event with its properties, until a value comes in again."""
        forget_entry(entry_id=self.get_object().pk, actor=request.user)
        return Response(status=204)
