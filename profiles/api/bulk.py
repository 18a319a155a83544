"""Many people, or many events, in one request, with what became of each."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access
from cdp.common.api import StrictJSONParser
from cdp.common.api_views import ApiViewSet
from cdp.common.ndjson import NDJSON, NdjsonParser, items_of
from profiles.api.answers import IdentifierSerializer
from profiles.models import Interaction, Source
from profiles.services.bulk import MAX_IDENTIFIERS, MAX_ITEMS, ItemOutcome, uuids_of
from profiles.services.intake import take_events

PARSERS = (StrictJSONParser, NdjsonParser)
JSON = "application/json"
PERSON_STATUSES = [(name, name) for name in ("created", "updated", "unchanged", "rejected")]
EVENT_STATUSES = [(name, name) for name in ("accepted", "duplicate", "rejected")]


class BulkPerson(serializers.Serializer[Any]):
    """A person to make, or to update when somebody has one of these identifiers."""

    identifiers = serializers.ListField(child=IdentifierSerializer(), max_length=MAX_IDENTIFIERS, required=False)
    traits = serializers.DictField(required=False)


class BulkPeople(serializers.Serializer[Any]):
    """People; as `application/x-ndjson` one a line."""

    items = serializers.ListField(child=BulkPerson(), max_length=MAX_ITEMS)


class PersonItemOutcome(serializers.Serializer[Any]):
    """What became of one person of the request."""

    index = serializers.IntegerField(help_text="Its place in the request, from 0.")
    status = serializers.ChoiceField(choices=PERSON_STATUSES)
    profile_id = serializers.UUIDField(allow_null=True)
    code = serializers.CharField(help_text="Why it was rejected; empty otherwise.")
    message = serializers.CharField(help_text="`code` as a sentence.")
    field = serializers.CharField(help_text="The field that is wrong, where one is.")


class BulkPeopleAnswer(serializers.Serializer[Any]):
    """What became of each item, in the order of the request."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Items by status.")
    results = PersonItemOutcome(many=True)


class BulkEvents(serializers.Serializer[Any]):
    """Events in the shape of the collection protocol (`type`, `event`, `userId`, `properties`, ...)."""

    items = serializers.ListField(child=serializers.DictField(), max_length=MAX_ITEMS)


class EventItemOutcome(serializers.Serializer[Any]):
    """What became of one event of the request."""

    index = serializers.IntegerField(help_text="Its place in the request, from 0.")
    status = serializers.ChoiceField(choices=EVENT_STATUSES)
    message_id = serializers.CharField(help_text="Its `messageId`, or the one that it was given.")
    code = serializers.CharField(help_text="Why it was rejected; empty otherwise.")
    message = serializers.CharField(help_text="`code` as a sentence.")
    field = serializers.CharField(help_text="The field that is wrong, where one is.")


class BulkEventsAnswer(serializers.Serializer[Any]):
    """What became of each item, in the order of the request."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Items by status.")
    results = EventItemOutcome(many=True)


PEOPLE_REQUEST = {JSON: BulkPeople, NDJSON: OpenApiTypes.STR}
EVENTS_REQUEST = {JSON: BulkEvents, NDJSON: OpenApiTypes.STR}


def manual_source() -> Source:
    """Return the source of what comes in over the API."""
    return Source.objects.get(slug="manual")


def people_answer(outcomes: list[ItemOutcome]) -> Response:
    """Return what became of people."""
    uuids = uuids_of(outcomes)
    results = [
        {
            "index": index,
            "status": outcome.status,
            "profile_id": uuids.get(outcome.profile_id or 0),
            "code": outcome.code,
            "message": outcome.message,
            "field": outcome.field,
        }
        for index, outcome in enumerate(outcomes)
    ]
    return Response({"counts": Counter(outcome.status for outcome in outcomes), "results": results})


class EventViewSet(ApiViewSet[Interaction]):
    """Events that come in over the API: kept, read, checked and counted once as those of the collection API."""

    queryset = Interaction.objects.none()
    bulk_actions = frozenset({"bulk"})
    required_permissions: ClassVar[dict[str, str]] = {"bulk": "profiles.add_interaction"}

    @extend_schema(request=EVENTS_REQUEST, responses={202: BulkEventsAnswer})
    @action(detail=False, methods=["post"], parser_classes=PARSERS)
    def bulk(self, request: Request) -> Response:
        """Take up to 1,000 events. Those accepted are stored for good; what they say shows within seconds.

        An event with a `messageId` that counted before is a duplicate, so sending again after a failure does no harm.
        """
        outcomes = take_events(items=items_of(request.data, limit=MAX_ITEMS), source=manual_source())
        counts = Counter(outcome.status for outcome in outcomes)
        record_access(request=request, action="event.bulk_sent", object_kind="interaction", detail={"counts": counts})
        results = [
            {
                "index": index,
                "status": outcome.status,
                "message_id": outcome.message_id,
                "code": outcome.code,
                "message": outcome.message,
                "field": outcome.field,
            }
            for index, outcome in enumerate(outcomes)
        ]
        return Response({"counts": counts, "results": results}, status=202)
