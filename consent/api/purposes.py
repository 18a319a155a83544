"""Purposes, their versions and their words over the REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.api_fields import StrictModelSerializer, StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.filters import narrowed
from consent.effects import effect_of
from consent.filters import PurposeFilters
from consent.models import Basis, Channel, ConsentText, Purpose, PurposeVersion
from consent.services.purposes import add_text, create_purpose, proposed_purpose, update_purpose


class TextSerializer(StrictModelSerializer[ConsentText]):
    """A version of the words."""

    class Meta:
        model = ConsentText
        fields = ("version", "language", "text", "created_at")
        read_only_fields = ("version", "created_at")


class SoftOptInSerializer(StrictSerializer):
    """The facts of soft opt-in; null with another basis."""

    event = serializers.CharField(max_length=200, help_text="the event that is a sale, as a trusted source sends it")
    seller = serializers.CharField(max_length=200, help_text="who sells: the same legal entity that sends")
    products = serializers.CharField(max_length=500, help_text="the own similar products that messages are about")
    offered_since = serializers.CharField(max_length=10, help_text="date since which people can refuse at the sale")
    offered_how = serializers.CharField(max_length=1000, help_text="in which words, and where")
    refused_property = serializers.CharField(
        max_length=100, required=False, allow_blank=True, help_text="property of the event, true for who refused"
    )

    def to_representation(self, instance: Any) -> Any:
        """Give null where there are no facts."""
        return super().to_representation(instance) if instance else None


class PurposeSerializer(StrictModelSerializer[Purpose]):
    """A purpose with its words."""

    id = serializers.SlugField(source="slug", read_only=True)
    channels = serializers.ListField(child=serializers.ChoiceField(choices=Channel.choices), default=["email"])
    basis = serializers.ChoiceField(choices=Basis.choices, default=Basis.CONSENT)
    soft_opt_in = SoftOptInSerializer(required=False, allow_null=True)
    texts = TextSerializer(many=True, read_only=True)
    version = serializers.IntegerField(source="current.version", read_only=True)

    class Meta:
        model = Purpose
        fields: tuple[str, ...] = (
            "id",
            "name",
            "description",
            "channels",
            "basis",
            "is_marketing",
            "requires_seen_proof",
            "requires_confirmed",
            "soft_opt_in",
            "retention_days",
            "active",
            "version",
            "texts",
        )
        read_only_fields: tuple[str, ...] = ("texts",)


class PurposeChange(PurposeSerializer):
    """The fields of a purpose to change."""

    confirm = serializers.IntegerField(
        min_value=0, required=False, help_text="how many more people the change lets be reached, as /effect/ says"
    )

    class Meta(PurposeSerializer.Meta):
        fields = (
            *("name", "description", "channels", "basis", "is_marketing", "requires_seen_proof"),
            *("requires_confirmed", "soft_opt_in", "retention_days", "active", "confirm"),
        )
        read_only_fields = ()


class ReachSerializer(serializers.Serializer[Any]):
    """How many people a purpose reaches by a channel."""

    before = serializers.IntegerField()
    after = serializers.IntegerField()
    gained = serializers.IntegerField()
    lost = serializers.IntegerField()


class EffectSerializer(serializers.Serializer[Any]):
    """What a change of a purpose does to people."""

    gained = serializers.IntegerField(help_text="people who could be reached that could not before")
    lost = serializers.IntegerField()
    channels = serializers.DictField(child=ReachSerializer())


class VersionSerializer(serializers.ModelSerializer[PurposeVersion]):
    """A purpose as it was laid down at a time."""

    effect = serializers.DictField(child=ReachSerializer(), help_text="by channel, as shown before it was saved")

    class Meta:
        model = PurposeVersion
        fields = (
            *("version", "name", "description", "channels", "basis", "is_marketing", "requires_seen_proof"),
            *(
                "requires_confirmed",
                "soft_opt_in",
                "retention_days",
                "active",
                "text_version",
                "effect",
                "created_at",
                "created_by",
                "digest",
            ),
        )
        read_only_fields = fields


class PurposeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Purpose]):
    """List, define and change purposes."""

    queryset = Purpose.objects.select_related("current").prefetch_related("texts")
    serializer_class = PurposeSerializer
    filterset_class = PurposeFilters
    lookup_field = "slug"
    lookup_url_kwarg = "id"
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "consent.view_purpose",
        "retrieve": "consent.view_purpose",
        "create": "consent.add_purpose",
        "partial_update": "consent.change_purpose",
        "effect": "consent.change_purpose",
        "versions": "consent.view_purpose",
        "texts": "consent.change_purpose",
    }

    def create(self, request: Request) -> Response:
        """Define a purpose."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = dict(form.validated_data)
        wanted.pop("active", None)
        wanted["soft_opt_in"] = wanted.get("soft_opt_in") or {}
        purpose = create_purpose(actor=request.auth or request.user, **wanted)
        return Response(self.get_serializer(purpose).data, status=201)

    @extend_schema(request=PurposeChange)
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a purpose: a new version of it.

        A change that lets more people be reached is refused (409, `consent.widens`) unless `confirm` is their number.
        """
        form = PurposeChange(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changes = _changes(form.validated_data)
        confirmed = changes.pop("confirm", None)
        purpose = update_purpose(
            purpose_id=self.get_object().pk,
            changes=changes,
            actor=request.auth or request.user,
            confirmed=confirmed,
        )
        return Response(self.get_serializer(purpose).data)

    @extend_schema(request=PurposeChange, responses=EffectSerializer)
    @action(detail=True, methods=["post"])
    def effect(self, request: Request, id: str) -> Response:
        """Count whom a change would let be reached, by channel; nothing is changed."""
        form = PurposeChange(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changes = _changes(form.validated_data)
        changes.pop("confirm", None)
        purpose = self.get_object()
        effect = effect_of(purpose, proposed_purpose(purpose, changes))
        return Response({"gained": effect.gained, "lost": effect.lost, "channels": effect.as_json()})

    @extend_schema(responses=VersionSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def versions(self, request: Request, id: str) -> Response:
        """List the versions of a purpose, newest first."""
        versions: Any = narrowed(request, self.get_object().versions.all(), None)
        rows: Any = self.paginate_queryset(versions)
        return self.get_paginated_response(VersionSerializer(rows or [], many=True).data)

    @extend_schema(request=TextSerializer, responses={201: TextSerializer})
    @action(detail=True, methods=["post"])
    def texts(self, request: Request, id: str) -> Response:
        """Add a version of the words."""
        form = TextSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        actor = request.auth or request.user
        text = add_text(purpose_id=self.get_object().pk, actor=actor, **form.validated_data)
        return Response(TextSerializer(text).data, status=201)


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes as the service takes them: no facts are an empty object there."""
    return {name: {} if name == "soft_opt_in" and value is None else value for name, value in given.items()}
