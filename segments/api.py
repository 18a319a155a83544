"""The REST API of segments: rules in and out as JSON, previews, members and what moved."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
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
from cdp.common.masking import Reader, can_see_pii, reader_of
from cdp.common.public_ids import derived_id
from cdp.common.turns import taking_turn
from profiles.models import Profile
from segments import services
from segments.api_rules import rule_from_api, rule_to_api
from segments.catalog_loader import known_catalog, moment_now
from segments.disclosure import refuse_hidden_values, shown_json, shown_rule
from segments.filters import ChangeFilters, MemberFilters, SegmentFilters
from segments.models import Membership, MembershipChange, Segment, Status
from segments.reasons import broken_text
from segments.rules.describe import describe
from segments.rules.errors import RuleError
from segments.rules.operators import CONSENT_STATES, COUNTS, OPERATORS, WINDOWS
from segments.rules.parse import parse

Row = TypeVar("Row", bound=Model)
RULE_HELP = (
    'A rule: `{"include": node, "exclude": node or null}`. Nodes by `type`: '
    "`all` and `any` (`children`), `not` (`child`), `everyone`, `trait` (`key`, `operator`, `value`), "
    f"`event` (`name`, `count`: {', '.join(COUNTS)}; `times`; `window`: "
    f'`{{"kind": {" | ".join(WINDOWS)}, "days", "from", "to"}}`; '
    "`where`: up to 10 of `{key, operator, value}` on properties), "
    "`seen` (`which`: first, last; `operator`: within, before; `days`), `member` (`segment_id`), "
    f"`consent` (`purpose`, `channel`, `state`: {', '.join(CONSENT_STATES)}), `identifier` (`kind`). "
    "Operators and what they take: " + ", ".join(f"`{item.key}` ({item.takes})" for item in OPERATORS.values()) + ". "
    "A missing value meets only `missing` and `is_not`. At most 100 nodes, 6 deep, 1,000 values, 64 KB."
)

LIST_HELP = " Null for a list kept by hand: see `lists/`."


class RuleField(serializers.JSONField):
    """A rule; its faults are found by the service, which names the node."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the rule as stored."""
        return rule_from_api(super().to_internal_value(data))

    def to_representation(self, value: Any) -> Any:
        """Return the rule as programs read it."""
        return rule_to_api(super().to_representation(value))


class SegmentSerializer(StrictModelSerializer[Segment]):
    """A segment with its current rule."""

    id = serializers.SlugField(source="slug", read_only=True)
    rule = RuleField(source="current_version.rule", help_text=RULE_HELP + LIST_HELP, allow_null=True)
    version = serializers.IntegerField(source="current_version.number", read_only=True, allow_null=True)
    sentence = serializers.CharField(source="current_version.sentence", read_only=True, allow_null=True)
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    broken_reason = serializers.SerializerMethodField(help_text="`broken_code` as a sentence")

    class Meta:
        model = Segment
        fields = (
            "id",
            "name",
            "description",
            "kind",
            "status",
            "broken_code",
            "broken_reason",
            "rule",
            "version",
            "sentence",
            "member_count",
            "refreshed_at",
            "created_at",
        )
        read_only_fields = ("kind", "status", "broken_code", "member_count", "refreshed_at", "created_at")

    def get_broken_reason(self, segment: Segment) -> str:
        """Return what is wrong with the rule, in the reader's language."""
        return broken_text(segment, sees_people=can_see_pii(self.context["request"].user))

    def to_representation(self, instance: Segment) -> dict[str, Any]:
        """Mask the values of the rule that the reader may not see."""
        data = super().to_representation(instance)
        reader = reader_of(self.context["request"])
        if not reader.sees_people and instance.current_version is not None:
            data["rule"] = shown_json(data["rule"], reader)
            data["sentence"] = _sentence(instance.current_version.rule, reader)
        return data


class PreviewSerializer(StrictSerializer):
    """A rule to look at."""

    rule = RuleField(help_text=RULE_HELP)


class MemberSerializer(serializers.Serializer[Any]):
    """Somebody in a segment."""

    profile_id = serializers.UUIDField()
    name = serializers.CharField()
    entered_at = serializers.DateTimeField()


class ChangeSerializer(serializers.Serializer[Any]):
    """Somebody came in or left."""

    id = serializers.UUIDField()
    profile_id = serializers.UUIDField(allow_null=True)
    entered = serializers.BooleanField()
    changed_at = serializers.DateTimeField()
    cause = serializers.CharField()


def _sentence(rule: Any, reader: Reader) -> str:
    try:
        return describe(shown_rule(parse(rule), reader), known_catalog(), _)
    except RuleError:
        return ""


def refuse_hidden(rule: Any, request: Request) -> None:
    """Raise CdpError when a rule asks for what this reader may not see; one that is no rule is refused elsewhere."""
    try:
        refuse_hidden_values(parse(rule), reader_of(request))
    except RuleError:
        return


_BY_SLUG = OpenApiParameter("id", OpenApiTypes.STR, OpenApiParameter.PATH)


class SegmentViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    ApiViewSet[Segment],
):
    """Segments. `DELETE` archives; `PATCH` with a rule saves a new version."""

    queryset = Segment.objects.select_related("current_version")
    serializer_class = SegmentSerializer
    filterset_class = SegmentFilters
    lookup_field = "slug"
    lookup_url_kwarg = "id"
    required_permissions = {
        "list": "segments.view_segment",
        "retrieve": "segments.view_segment",
        "create": "segments.add_segment",
        "partial_update": "segments.change_segment",
        "destroy": "segments.change_segment",
        "preview": "segments.view_segment",
        "members": "segments.view_segment",
        "changes": "segments.view_segment",
    }

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create a segment."""
        data = self._checked(request)
        segment = services.create_segment(
            name=data["name"],
            rule=data["current_version"]["rule"],
            description=data.get("description", ""),
            user=request.user,
        )
        return Response(self.get_serializer(segment).data, status=201)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the name, the description or the rule."""
        segment = self.get_object()
        data = self._checked(request, partial=True)
        if segment.status == Status.ARCHIVED:
            raise CdpError("segment.archived", _("This segment is archived."), status=409)
        if "name" in data or "description" in data:
            segment = services.rename_segment(
                segment=segment, name=data.get("name", segment.name), description=data.get("description")
            )
        if "current_version" in data:
            segment = services.update_rule(segment=segment, rule=data["current_version"]["rule"], user=request.user)
        return Response(self.get_serializer(segment).data)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Archive a segment: its members leave it, its history stays."""
        services.archive_segment(segment=self.get_object())
        return Response(status=204)

    @extend_schema(request=PreviewSerializer, responses=OpenApiTypes.OBJECT)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Count who would be in: per node, in total, with a few people and the rule as a sentence."""
        given, reader = self.given(PreviewSerializer)["rule"], reader_of(request)
        refuse_hidden(given, request)
        rule, catalog = services.checked_rule(given)
        moment = moment_now()
        with taking_turn(services.TURN, request.user):
            counts = services.count_nodes(rule, catalog, moment)
            sample = services.sample_people(rule, catalog, moment) if counts.exact else []
        record_look(request, "segment.previewed", sample)
        return Response(
            {
                "count": counts.total,
                "base": counts.base,
                "exact": counts.exact,
                "nodes": counts.nodes,
                "sentence": describe(shown_rule(rule, reader), catalog, _),
                "sample": [
                    {"profile_id": str(row.uuid), "name": reader.name(row.display_name) or str(row.uuid)}
                    for row in sample
                ],
            }
        )

    @extend_schema(parameters=[_BY_SLUG], responses=MemberSerializer(many=True))
    @action(
        detail=True, pagination_class=keyset_pages("profile_id", key=("profile_id",)), filterset_class=MemberFilters
    )
    def members(self, request: Request, id: str) -> Response:
        """List the members."""
        segment = self.get_object()
        page = self._page(Membership.objects.filter(segment_id=segment.pk))
        people = Profile.objects.only("uuid", "display_name").in_bulk([row.profile_id for row in page])
        reader = reader_of(request)
        record_look(request, "segment.members_listed", people.values(), object_kind="segment", object_id=segment.slug)
        return self.get_paginated_response(
            [
                {
                    "profile_id": str(people[row.profile_id].uuid),
                    "name": reader.name(people[row.profile_id].display_name),
                    "entered_at": row.since,
                }
                for row in page
                if row.profile_id in people
            ]
        )

    @extend_schema(parameters=[_BY_SLUG], responses=ChangeSerializer(many=True))
    @action(detail=True, filterset_class=ChangeFilters)
    def changes(self, request: Request, id: str) -> Response:
        """List who came in and who left, newest first."""
        segment = self.get_object()
        page = self._page(MembershipChange.objects.filter(segment_id=segment.pk))
        people = dict(Profile.objects.filter(pk__in=[row.profile_id for row in page]).values_list("id", "uuid"))
        record_look(request, "segment.history_listed", people.values(), object_kind="segment", object_id=segment.slug)
        return self.get_paginated_response(
            [
                {
                    "id": derived_id(
                        "membership_change", segment.slug, people.get(row.profile_id), row.at, row.entered
                    ),
                    "profile_id": str(people[row.profile_id]) if row.profile_id in people else None,
                    "entered": row.entered,
                    "changed_at": row.at,
                    "cause": row.cause,
                }
                for row in page
            ]
        )

    def _page(self, rows: QuerySet[Row]) -> list[Row]:
        """Return the asked page of rows that are not segments."""
        assert self.paginator is not None
        rows = narrowed(self.request, rows, self.filterset_class)
        return list(self.paginator.paginate_queryset(rows, self.request, view=self) or ())

    def _checked(self, request: Request, *, partial: bool = False) -> dict[str, Any]:
        serializer = self.get_serializer(data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        data = dict(serializer.validated_data)
        if "current_version" in data:
            refuse_hidden(data["current_version"]["rule"], request)
        return data
