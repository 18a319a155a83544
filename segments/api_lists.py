"""The REST API of lists kept by hand: make them, fill them, read them. As segments they stand at `segments/` too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_look
from cdp.common.api_fields import StrictModelSerializer, StrictSerializer
from cdp.common.api_pages import keyset_pages
from cdp.common.api_views import ApiViewSet
from cdp.common.errors import CdpError
from cdp.common.filters import narrowed
from cdp.common.masking import can_see_pii, mask_name
from consent.actors import actor_names
from profiles.models import Profile
from profiles.querysets.naming import find_named, names_an_identifier
from segments import services
from segments.filters import MemberFilters, SegmentFilters
from segments.list_members import Told
from segments.models import Kind, ListEntry, Membership, Segment, Status
from segments.services.lists import MOST_PEOPLE, MOST_REPLACED

MOST_NAME = 400
_BY_SLUG = OpenApiParameter("id", OpenApiTypes.STR, OpenApiParameter.PATH)
OUTCOMES = ("added", "already_in", "removed", "not_in", "unknown_person", "unreadable", "restricted")


class PeopleListSerializer(StrictModelSerializer[Segment]):
    """A list of people that is kept by hand."""

    id = serializers.CharField(source="slug", read_only=True)
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    changed_at = serializers.DateTimeField(source="refreshed_at", read_only=True)

    class Meta:
        model = Segment
        fields = ("id", "name", "description", "status", "member_count", "changed_at", "created_at")
        read_only_fields = ("status", "member_count", "created_at")


class PeopleSerializer(StrictSerializer):
    """People, each by id or by `kind:value`."""

    people = serializers.ListField(
        child=serializers.CharField(max_length=MOST_NAME, trim_whitespace=False),
        max_length=MOST_PEOPLE,
        help_text="Ids, or `kind:value` as in `email:anna@example.org`; at most 1,000.",
    )


class AllPeopleSerializer(PeopleSerializer):
    """All people of a list, each by id or by `kind:value`."""

    people = serializers.ListField(
        child=serializers.CharField(max_length=MOST_NAME, trim_whitespace=False),
        max_length=MOST_REPLACED,
        help_text="Whoever is not named leaves the list; at most 10,000. An empty list empties it.",
    )


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of one of the people given."""

    person = serializers.CharField(help_text="As it was given.")
    profile_id = serializers.UUIDField(allow_null=True)
    outcome = serializers.ChoiceField(choices=OUTCOMES)


class ToldSerializer(serializers.Serializer[Any]):
    """What became of all: one result per person given, in the same order."""

    added = serializers.IntegerField()
    already_in = serializers.IntegerField()
    removed = serializers.IntegerField()
    results = OutcomeSerializer(many=True)


class ListMemberSerializer(serializers.Serializer[Any]):
    """Somebody in a list, since when and by whom."""

    profile_id = serializers.UUIDField()
    name = serializers.CharField()
    added_at = serializers.DateTimeField()
    added_by = serializers.CharField(help_text="Empty when the entry came along with a merge.")


class ListViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    ApiViewSet[Segment],
):
    """Lists. `DELETE` archives: the members leave, the history stays."""

    queryset = Segment.objects.filter(kind=Kind.STATIC)
    serializer_class = PeopleListSerializer
    filterset_class = SegmentFilters
    lookup_field = "slug"
    lookup_url_kwarg = "id"
    required_permissions = {
        "list": "segments.view_segment",
        "retrieve": "segments.view_segment",
        "create": "segments.add_segment",
        "partial_update": "segments.change_segment",
        "destroy": "segments.change_segment",
        "members": "segments.view_segment",
        "add_members": "segments.change_segment",
        "replace_members": "segments.change_segment",
        "remove_members": "segments.change_segment",
    }

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create a list with nobody in it."""
        data = self._checked(PeopleListSerializer)
        made = services.create_list(name=data["name"], description=data.get("description", ""), user=request.user)
        return Response(self.get_serializer(made).data, status=201)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the name or the description."""
        segment = self.get_object()
        data = self._checked(PeopleListSerializer, partial=True)
        if segment.status == Status.ARCHIVED:
            raise CdpError("segment.archived", _("This segment is archived."), status=409)
        segment = services.rename_segment(
            segment=segment, name=data.get("name", segment.name), description=data.get("description")
        )
        return Response(self.get_serializer(segment).data)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Archive a list: its members leave it, its history stays."""
        services.archive_segment(segment=self.get_object())
        return Response(status=204)

    @extend_schema(parameters=[_BY_SLUG], responses=ListMemberSerializer(many=True))
    @action(
        detail=True, pagination_class=keyset_pages("profile_id", key=("profile_id",)), filterset_class=MemberFilters
    )
    def members(self, request: Request, id: str) -> Response:
        """List the members."""
        segment = self.get_object()
        rows: QuerySet[Membership] = Membership.objects.filter(segment_id=segment.pk)
        assert self.paginator is not None
        rows = narrowed(request, rows, self.filterset_class)
        page = list(self.paginator.paginate_queryset(rows, request, view=self) or ())
        shown = shown_members(segment, page, request.user)
        record_look(
            request, "segment.members_listed", [row["profile_id"] for row in shown],
            object_kind="segment", object_id=segment.slug,
        )  # fmt: skip
        return self.get_paginated_response(shown)

    @extend_schema(parameters=[_BY_SLUG], request=PeopleSerializer, responses=ToldSerializer)
    @members.mapping.post
    def add_members(self, request: Request, id: str) -> Response:
        """Put people in; the answer says what became of each."""
        names = self._checked(PeopleSerializer)["people"]
        return self._write(names, services.add_people)

    @extend_schema(parameters=[_BY_SLUG], request=AllPeopleSerializer, responses=ToldSerializer)
    @members.mapping.put
    def replace_members(self, request: Request, id: str) -> Response:
        """Make these people, and nobody else, the members; only the difference is written."""
        names = self._checked(AllPeopleSerializer)["people"]
        return self._write(names, services.replace_people)

    @extend_schema(parameters=[_BY_SLUG], request=PeopleSerializer, responses=ToldSerializer)
    @action(detail=True, methods=["post"], url_path="members/remove", url_name="remove")
    def remove_members(self, request: Request, id: str) -> Response:
        """Take people out; the answer says what became of each."""
        names = self._checked(PeopleSerializer)["people"]

        def remove(*, segment: Segment, profile_ids: set[int], cause: str, actor: Any) -> Told:
            gone = services.remove_people(segment=segment, profile_ids=profile_ids, cause=cause, actor=actor)
            return Told(removed=gone)

        return self._write(names, remove)

    def _write(self, names: Sequence[str], service: Callable[..., Told]) -> Response:
        segment = self.get_object()
        if not can_see_pii(self.request.user) and any(names_an_identifier(name) for name in names):
            message = _("You may look people up by their id only: identifiers are hidden from you.")
            raise CdpError("lookup_hidden", message, status=403)
        named = find_named(names)
        actor = self.request.auth or self.request.user
        told = service(segment=segment, profile_ids=set(named.people.values()), cause="api", actor=actor)
        uuids = dict(Profile.objects.filter(pk__in=set(named.people.values())).values_list("pk", "uuid"))
        results = []
        for name in names:
            profile_id = named.people.get(name)
            known = profile_id is not None and profile_id not in told.unknown
            results.append(
                {
                    "person": name,
                    "profile_id": uuids.get(profile_id) if profile_id is not None and known else None,
                    "outcome": "unreadable" if name in named.unreadable else outcome_of(profile_id, told),
                }
            )
        counts = {"added": len(told.added), "already_in": len(told.already), "removed": len(told.removed)}
        return Response(ToldSerializer({**counts, "results": results}).data)

    def _checked(self, serializer: type[serializers.BaseSerializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        form = serializer(data=self.request.data, partial=partial)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)


def outcome_of(profile_id: int | None, told: Told) -> str:
    """Return what became of one person, as a word."""
    if profile_id is None or profile_id in told.unknown:
        return "unknown_person"
    for word, people in (
        ("added", told.added),
        ("already_in", told.already),
        ("restricted", told.restricted),
        ("removed", told.removed),
    ):
        if profile_id in people:
            return word
    return "not_in"


def shown_members(segment: Segment, page: Sequence[Membership], reader: Any) -> list[dict[str, Any]]:
    """Return members as this reader may see them."""
    ids = [row.profile_id for row in page]
    people = Profile.objects.only("uuid", "display_name").in_bulk(ids)
    actors = dict(ListEntry.objects.filter(segment=segment, profile_id__in=ids).values_list("profile_id", "actor"))
    names = actor_names(actor for actor in actors.values() if actor)
    see = can_see_pii(reader)
    return [
        {
            "profile_id": str(people[row.profile_id].uuid),
            "name": people[row.profile_id].display_name if see else mask_name(people[row.profile_id].display_name),
            "added_at": row.since,
            "added_by": names.get(actors.get(row.profile_id, ""), ""),
        }
        for row in page
        if row.profile_id in people
    ]
