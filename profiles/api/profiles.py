"""People over the REST API. Without `profiles.view_pii` names and addresses are masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access
from cdp.common.api_answers import PERSON_PATH
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.filters import narrowed
from cdp.common.masking import can_see_pii, mask_email, mask_identifier, mask_name, mask_value
from profiles.api.interactions import InteractionPages, InteractionSerializer, serialized
from profiles.filters import InteractionFilters, ProfileFilters
from profiles.models import Identifier, Interaction, Profile, Source
from profiles.querysets.lookup import get_person
from profiles.services.profiles import PersonRow, upsert_person
from profiles.services.traits import set_traits


class IdentifierSerializer(StrictSerializer):
    """A value that stands for a person."""

    kind = serializers.CharField(max_length=40)
    value = serializers.CharField(max_length=320)


class KnownIdentifierSerializer(IdentifierSerializer):
    """An identifier as stored."""

    trusted = serializers.BooleanField(read_only=True, help_text="A trusted source gave it: it may be mailed.")
    confirmed_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When the person last answered at it; null: never."
    )
    first_seen_at = serializers.DateTimeField(read_only=True)
    last_seen_at = serializers.DateTimeField(read_only=True)


class ProfileSerializer(serializers.ModelSerializer[Profile]):
    """A person in a list."""

    id = serializers.UUIDField(source="uuid", read_only=True)

    class Meta:
        model = Profile
        fields: ClassVar[Any] = [
            "id",
            "display_name",
            "email",
            "identified",
            "first_seen_at",
            "last_seen_at",
            "restricted_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Profile) -> dict[str, Any]:
        """Mask what the reader may not see."""
        data = super().to_representation(instance)
        if not can_see_pii(self.context["request"].user):
            data["display_name"] = mask_name(data["display_name"])
            data["email"] = mask_email(data["email"]) if data["email"] else ""
        return data


class ProfileDetailSerializer(ProfileSerializer):
    """A person with traits, where each came from, and identifiers."""

    identifiers = serializers.SerializerMethodField()

    class Meta(ProfileSerializer.Meta):
        fields: ClassVar[Any] = [*ProfileSerializer.Meta.fields, "traits", "origins", "identifiers"]
        read_only_fields = fields

    @extend_schema_field(KnownIdentifierSerializer(many=True))
    def get_identifiers(self, profile: Profile) -> list[dict[str, Any]]:
        """Return the identifiers, masked for readers without permission."""
        rows = Identifier.objects.filter(profile_id=profile.pk).order_by("kind", "value")[:200]
        data: list[dict[str, Any]] = [dict(item) for item in KnownIdentifierSerializer(rows, many=True).data]
        if not can_see_pii(self.context["request"].user):
            for item in data:
                item["value"] = mask_identifier(item["kind"], item["value"])
        return data

    def to_representation(self, instance: Profile) -> dict[str, Any]:
        """Mask traits by name and by what their text looks like."""
        data = super().to_representation(instance)
        if not can_see_pii(self.context["request"].user):
            data["traits"] = {name: mask_value(name, value) for name, value in data["traits"].items()}
        return data


class TraitsInput(StrictSerializer):
    """Traits to set; null removes one."""

    traits = serializers.DictField(required=False, help_text="Trait name to value; null removes the trait.")
    pin = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=100,
        help_text="Traits whose value (given here, or the one they have) stays whatever sources say later.",
    )
    unpin = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=100,
        help_text="Traits of which the newest value of a trusted source stands again.",
    )


class PersonInput(StrictSerializer):
    """A person to make or to update."""

    identifiers = serializers.ListField(child=IdentifierSerializer(), required=False, max_length=20)
    traits = serializers.DictField(required=False)


class ProfileViewSet(ApiViewSet[Profile]):
    """People: list, search, look up by id or by `kind:value`, make, update."""

    queryset = Profile.objects.none()
    serializer_class = ProfileSerializer
    filterset_class = ProfileFilters
    lookup_value_regex = PERSON_PATH
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "profiles.view_profile",
        "retrieve": "profiles.view_profile",
        "interactions": "profiles.view_interaction",
        "*": "profiles.change_profile",
    }

    def list(self, request: Request) -> Response:
        """List people, the newest first; the order never changes, so that a walk misses nobody."""
        rows = self.filter_queryset(Profile.objects.listed())
        page = self.paginate_queryset(rows)
        record_access(request=request, action="profile.listed", object_kind="profile", detail={"rows": len(page or [])})
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses=ProfileDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one person, by id or by `kind:value` (as in `email:anna@example.org`)."""
        person = get_person(pk, reader=self.request.user)
        record_access(request=request, action="profile.viewed", object_kind="profile", object_id=str(person.uuid))
        return self._detail(person)

    @extend_schema(request=TraitsInput, responses=ProfileDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Set, pin and unpin traits of a person."""
        given = TraitsInput(data=request.data)
        given.is_valid(raise_exception=True)
        person = get_person(pk, reader=self.request.user)
        traits = given.validated_data.get("traits", {})
        pin, unpin = given.validated_data.get("pin", []), given.validated_data.get("unpin", [])
        set_traits(
            profile_id=person.pk,
            values={name: value for name, value in traits.items() if value is not None},
            removed=[name for name, value in traits.items() if value is None],
            pinned=pin,
            unpinned=unpin,
            source=self._source(),
            cause="api",
            actor=request.user,
        )
        record_access(
            request=request,
            action="profile.changed",
            object_kind="profile",
            object_id=str(person.uuid),
            detail={
                "traits": sorted(traits)[:50],
                **({"pin": pin} if pin else {}),
                **({"unpin": unpin} if unpin else {}),
            },
        )
        person.refresh_from_db()
        return self._detail(person)

    @extend_schema(request=PersonInput, responses={200: ProfileDetailSerializer, 201: ProfileDetailSerializer})
    def create(self, request: Request) -> Response:
        """Make a person, or update the one that has these identifiers."""
        given = PersonInput(data=request.data)
        given.is_valid(raise_exception=True)
        identifiers = [(item["kind"], item["value"]) for item in given.validated_data.get("identifiers", [])]
        row = PersonRow(identifiers=identifiers, traits=given.validated_data.get("traits", {}))
        outcome = upsert_person(row=row, source=self._source())
        person = Profile.objects.get(pk=outcome.profile_id or 0)
        record_access(
            request=request,
            action=f"profile.{outcome.outcome}",
            object_kind="profile",
            object_id=str(person.uuid),
        )
        answer = self._detail(person)
        answer.status_code = status.HTTP_201_CREATED if outcome.outcome == "created" else status.HTTP_200_OK
        return answer

    @extend_schema(responses=InteractionSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=InteractionPages, filterset_class=InteractionFilters)
    def interactions(self, request: Request, pk: str) -> Response:
        """List what a person did, newest first."""
        person = get_person(pk, reader=self.request.user)
        record_access(
            request=request, action="profile.interactions_viewed", object_kind="profile", object_id=str(person.uuid)
        )
        rows = Interaction.objects.filter(profile_id=person.pk)
        page: Sequence[Any] = self.paginate_queryset(narrowed(request, rows, InteractionFilters)) or []
        return self.get_paginated_response(serialized(page, request))

    def _detail(self, person: Profile) -> Response:
        return Response(ProfileDetailSerializer(person, context=self.get_serializer_context()).data)

    def _source(self) -> Source:
        source = Source.objects.filter(slug="manual").first()
        if source is None:
            raise ValidationError({"source": "The source named manual is missing."})
        return source
