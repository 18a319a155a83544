"""Sources over the REST API. A key is in the answer that made it, and nowhere else."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from profiles.filters import SourceFilters
from profiles.models import Source
from profiles.querysets.sources import COUNTS, counts_by_source, counts_of
from profiles.services import sources as services


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A source with its counts."""

    id = serializers.SlugField(source="slug", read_only=True)
    counts = serializers.SerializerMethodField(help_text="received = stored + duplicate + rejected")

    class Meta:
        model = Source
        fields: tuple[str, ...] = (
            "id",
            "name",
            "kind",
            "enabled",
            "allowed_origins",
            "public_key",
            "key_hint",
            "created_at",
            "last_seen_at",
            "warning",
            "counts",
        )
        read_only_fields = fields

    def get_counts(self, source: Source) -> dict[str, int]:
        """Return the counts; a list asks for all of them in one query."""
        known = self.context.get("counts")
        counts = known.get(source.pk) if known is not None else counts_of(source)
        return {name: getattr(counts, name, 0) for name in COUNTS}


class SourceInput(StrictSerializer):
    """What is data to make a source."""

    name = serializers.CharField(max_length=services.MAX_NAME)
    kind = serializers.ChoiceField(choices=[kind.value for kind in services.KEYED_KINDS])
    allowed_origins = serializers.ListField(child=serializers.CharField(max_length=200), required=False, default=list)


class SourceChange(StrictSerializer):
    """What can be changed of a source."""

    name = serializers.CharField(max_length=services.MAX_NAME, required=False)
    allowed_origins = serializers.ListField(child=serializers.CharField(max_length=200), required=False)
    enabled = serializers.BooleanField(required=False)


class KeyRotation(StrictSerializer):
    """For how long the old key keeps working."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=services.MAX_OVERLAP_HOURS, default=24)


class SourceWithKey(SourceSerializer):
    """A source with the key that was just made."""

    write_key = serializers.SerializerMethodField()

    class Meta(SourceSerializer.Meta):
        fields = (*SourceSerializer.Meta.fields, "write_key")
        read_only_fields = fields

    def get_write_key(self, source: Source) -> str:
        """Return the key, which is known in this answer only."""
        return str(self.context["write_key"])


class SourceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Source]):
    """List, make and change sources."""

    queryset = Source.objects.all()
    lookup_field = "slug"
    lookup_url_kwarg = "id"
    secret_answers = frozenset({"create", "rotate_key"})
    serializer_class = SourceSerializer
    filterset_class = SourceFilters
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "profiles.view_source",
        "retrieve": "profiles.view_source",
        "create": "profiles.add_source",
        "partial_update": "profiles.change_source",
        "rotate_key": "profiles.change_source",
    }

    def get_serializer_context(self) -> dict[str, Any]:
        """Hand the counts of all sources to a list."""
        context = dict(super().get_serializer_context())
        if self.action == "list":
            context["counts"] = counts_by_source()
        return context

    @extend_schema(request=SourceInput, responses={201: SourceWithKey})
    def create(self, request: Request) -> Response:
        """Make a source; `write_key` of the answer cannot be read again for a server."""
        form = SourceInput(data=request.data)
        form.is_valid(raise_exception=True)
        source, key = services.create_source(actor=request.user, **form.validated_data)
        return self._with_key(source, key, status.HTTP_201_CREATED)

    @extend_schema(request=SourceChange, responses=SourceSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a source's name or origins, or switch it on or off."""
        form = SourceChange(data=request.data)
        form.is_valid(raise_exception=True)
        source: Source = self.get_object()
        data = form.validated_data
        if "name" in data or "allowed_origins" in data:
            source = services.update_source(
                source_id=source.pk,
                name=data.get("name", source.name),
                allowed_origins=data.get("allowed_origins", source.allowed_origins),
                actor=request.user,
            )
        if "enabled" in data:
            source = services.set_enabled(source_id=source.pk, enabled=data["enabled"], actor=request.user)
        return Response(self.get_serializer(source).data)

    @extend_schema(request=KeyRotation, responses=SourceWithKey)
    @action(detail=True, methods=["post"], url_path="rotate-key")
    def rotate_key(self, request: Request, id: str) -> Response:
        """Issue a new key; the old one keeps working for `overlap_hours`."""
        form = KeyRotation(data=request.data)
        form.is_valid(raise_exception=True)
        source: Source = self.get_object()
        source, key = services.rotate_key(
            source_id=source.pk,
            overlap_hours=form.validated_data["overlap_hours"],
            actor=request.user,
        )
        return self._with_key(source, key, status.HTTP_200_OK)

    def _with_key(self, source: Source, key: str, code: int) -> Response:
        context = {**self.get_serializer_context(), "write_key": key}
        return Response(SourceWithKey(source, context=context).data, status=code)
