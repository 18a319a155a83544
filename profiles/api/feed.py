"""The change feed of people: `GET /profiles/?updated_since=`, and from its end on as often as one likes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from cdp.common.api_pages import KeysetPages, page_size
from cdp.common.errors import CdpError
from cdp.common.filters import PAGING, MomentField, refuse_unknown_parameters
from cdp.common.keyset import Order, cursor_behind, keyset_page
from cdp.common.masking import can_see_pii
from profiles.api.answers import described, gone
from profiles.models import PersonChange, Profile

TAKES = PAGING | {"updated_since", "include"}
#: merges of merges that are followed to who somebody is by now
MAX_STEPS = 20


class ProfilePages(KeysetPages):
    """Pages of people; those of the change feed say besides where to go on later."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the shape of a page."""
        page = super().get_paginated_response_schema(schema)
        page["properties"]["resume"] = {
            "type": "string",
            "format": "uri",
            "description": "In the change feed: the address of what changes after this page. Keep that of the last "
            "page and ask it again later.",
        }
        return page


def feed_page(request: Request, parts: Collection[str]) -> Response:
    """Return a page of the people who changed since a moment, each once, at the place of their last change."""
    refuse_unknown_parameters(request, TAKES)  # a filter would hide that somebody is gone
    try:
        since = MomentField().clean(request.query_params["updated_since"])
    except ValidationError as error:
        raise CdpError("parameter_invalid", error.messages[0], place="updated_since") from None
    order = Order.of(PersonChange, "changed_at", key=("profile_id",))
    rows = PersonChange.objects.filter(changed_at__gte=since)
    cursor = request.query_params.get("cursor", "")
    page = keyset_page(rows, order=order, cursor=cursor, size=page_size(request))
    address = request.build_absolute_uri()

    def at(place: str) -> str | None:
        return replace_query_param(remove_query_param(address, "cursor"), "cursor", place) if place else None

    return Response(
        {
            "next": at(page.next),
            "previous": at(page.previous),
            "resume": at(cursor_behind(page.rows[-1], order)) if page.rows else address,
            "results": feed_entries(page.rows, can_see_pii(request.user), parts),
        }
    )


def feed_entries(places: Sequence[PersonChange], open_names: bool, parts: Collection[str]) -> list[dict[str, Any]]:
    """Return people at these places of the feed as they are now: those who are gone too."""
    people = _with_targets([place.profile_id for place in places])
    alive = [people[place.profile_id] for place in places if _is_alive(people.get(place.profile_id))]
    answers = {person.pk: answer for person, answer in zip(alive, described(alive, open_names, parts), strict=True)}
    entries = []
    for place in places:
        answer = answers.get(place.profile_id)
        if answer is None:
            target = _end_of(place.profile_id, people)
            answer = gone(place.uuid, place.changed_at, merged_into=target.uuid if target else None)
        entries.append(answer | {"updated_at": place.changed_at})
    return entries


def _is_alive(person: Profile | None) -> bool:
    return person is not None and person.merged_into_id is None and person.erased_at is None


def _with_targets(ids: Sequence[int]) -> dict[int, Profile]:
    """Return these people and those they were merged into."""
    found: dict[int, Profile] = {}
    wanted = set(ids)
    for _step in range(MAX_STEPS):
        if not wanted:
            break
        found |= Profile.objects.defer("search_text").in_bulk(wanted)
        wanted = {row.merged_into_id for row in found.values() if row.merged_into_id} - found.keys()
    return found


def _end_of(profile_id: int, people: dict[int, Profile]) -> Profile | None:
    """Return who somebody was merged into in the end; None when there is nobody any more."""
    person = people.get(profile_id)
    for _step in range(MAX_STEPS):
        if person is None or person.merged_into_id is None:
            break
        person = people.get(person.merged_into_id)
    return person if person is not None and person.erased_at is None and person.merged_into_id is None else None
