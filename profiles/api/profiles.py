"""People over the REST API. Without `profiles.view_pii` names and addresses are masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access, record_look
from cdp.common.api_answers import PERSON_PATH
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.filters import PAGING, narrowed
from cdp.common.masking import can_see_pii
from cdp.common.ndjson import items_of
from profiles.api.actions import PersonActions
from profiles.api.answers import (
    IdentifierSerializer,
    ProfileSerializer,
    all_parts,
    asked_parts,
    described,
    include_parameter,
)
from profiles.api.bulk import PARSERS, PEOPLE_REQUEST, BulkPeopleAnswer, people_answer
from profiles.api.feed import ProfilePages, feed_page
from profiles.api.interactions import InteractionPages, InteractionSerializer, serialized
from profiles.filters import InteractionFilters, ProfileFilters
from profiles.models import Interaction, Profile, Source
from profiles.querysets.lookup import get_person
from profiles.services.bulk import MAX_ITEMS, upsert_bulk
from profiles.services.profiles import PersonRow, upsert_person
from profiles.services.traits import set_traits


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


class ProfileViewSet(PersonActions, ApiViewSet[Profile]):
    """People: list, search, look up by id or by `kind:value`, make, update."""

    queryset = Profile.objects.none()
    serializer_class = ProfileSerializer
    pagination_class = ProfilePages
    filterset_class = ProfileFilters
    lookup_value_regex = PERSON_PATH
    bulk_actions = frozenset({"bulk"})
    other_parameters = frozenset({"include"})
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "profiles.view_profile",
        "retrieve": "profiles.view_profile",
        "interactions": "profiles.view_interaction",
        "restrict": "profiles.erase_profile",
        "lift_restriction": "profiles.erase_profile",
        "merge": "profiles.merge_profile",
        "unmerge": "profiles.merge_profile",
        "*": "profiles.change_profile",
    }

    @extend_schema(
        parameters=[
            include_parameter(),
            OpenApiParameter(
                "updated_since",
                OpenApiTypes.DATETIME,
                description="The change feed: who changed at this moment or later, in the order of their changes, each "
                "once, with those merged or deleted. Go on at `next` while there is one, and at `resume` later. "
                "Takes no filters.",
            ),
        ]
    )
    def list(self, request: Request) -> Response:
        """List people, the newest first; the order never changes, so that a walk misses nobody."""
        parts = asked_parts(request)
        if "updated_since" in request.query_params:
            answer = feed_page(request, parts)
            rows: Sequence[Any] = answer.data["results"]
        else:
            wide = ["search_text", *([] if "traits" in parts else ["traits", "origins"])]
            rows = self.paginate_queryset(self.filter_queryset(Profile.objects.alive().defer(*wide))) or []
            answer = self.get_paginated_response(described(rows, can_see_pii(request.user), parts))
        seen = [row["id"] if isinstance(row, dict) else row for row in rows]
        filters = sorted({*request.query_params} - PAGING)
        record_look(request, "profile.listed", seen, detail={"filters": filters}, even_nobody=True)
        return answer

    @extend_schema(parameters=[include_parameter()], responses=ProfileSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one person, by id or by `kind:value` (as in `email:anna@example.org`)."""
        person = get_person(pk, reader=self.request.user)
        record_access(request=request, action="profile.viewed", object_kind="profile", object_id=str(person.uuid))
        return self._detail(person)

    @extend_schema(request=TraitsInput, responses=ProfileSerializer)
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

    @extend_schema(request=PersonInput, responses={200: ProfileSerializer, 201: ProfileSerializer})
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

    @extend_schema(request=PEOPLE_REQUEST, responses=BulkPeopleAnswer)
    @action(detail=False, methods=["post"], parser_classes=PARSERS)
    def bulk(self, request: Request) -> Response:
        """Make or update up to 1,000 people, each for itself: one that is rejected costs no other."""
        outcomes = upsert_bulk(items=items_of(request.data, limit=MAX_ITEMS), source=self._source())
        counts = Counter(outcome.status for outcome in outcomes)
        record_access(request=request, action="profile.bulk_written", object_kind="profile", detail={"counts": counts})
        return people_answer(outcomes)

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

    def described_one(self, person: Profile) -> dict[str, Any]:
        """Return the person as the reader may see them, with the parts asked for."""
        parts = asked_parts(self.request, default=all_parts())
        return described([person], can_see_pii(self.request.user), parts)[0]

    def _detail(self, person: Profile) -> Response:
        return Response(self.described_one(person))

    def _source(self) -> Source:
        source = Source.objects.filter(slug="manual").first()
        if source is None:
            raise ValidationError({"source": "The source named manual is missing."})
        return source
