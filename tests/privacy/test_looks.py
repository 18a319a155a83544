"""Whoever saw a person's name or address stands in the access log, with the public id of that person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from cdp.common.access import record_look
from cdp.common.models import AccessLog
from cdp.common.roles import ADMINISTRATOR, PRIVACY
from profiles.models import Profile
from tests.privacy.crawl import Answer, admin_starts, api_starts, crawl, page_starts, read
from tests.privacy.readers import api_headers, browser

pytestmark = pytest.mark.django_db
#: routes whose answers may hold a name or address without showing a person, and why
NO_LOOK = {
    "profiles:live_raw": "a message as received, noted by its place: nobody knows yet whose it is",
    "profiles:rejected_detail": "a message that was not stored, noted by its id",
    "rejected-events-detail": "the same, over the API",
    "profiles:import_map": "cells of a file that nobody has matched with people yet",
    "profiles:import_rejected": "rows of a file that became nobody",
    "access_log": "ids, never names",
    "api_schema": "",
}


class Watched(Client):
    """A browser that keeps, with each answer, what the access log gained by it."""

    gained = ""

    def request(self, **request: Any) -> Any:
        """Ask, and note the new rows while they are there."""
        cache.clear()  # a look again within a minute is the same look; here every answer must have its own
        last = AccessLog.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        answer = super().request(**request)
        if not answer.streaming:
            answer.content  # noqa: B018 - templates may be rendered late
        rows = AccessLog.objects.filter(pk__gt=last)
        self.gained = " ".join(
            f"{row.action} {row.object_kind} {row.object_id} {json.dumps(row.detail)}" for row in rows
        )
        return answer


def watched(role: str) -> Watched:
    """Return a watched browser signed in as that role."""
    client = Watched(raise_request_exception=False)
    client.cookies = browser(role).cookies
    return client


def unlogged(client: Watched, answer: Answer, people: list[Profile]) -> list[str]:
    """Return whom an answer shows without a word in the log."""
    text = answer.body.decode(errors="replace")
    if not answer.opened or answer.route in NO_LOOK or "export" in answer.question:
        return []
    shown = [
        one for one in people if (one.email and one.email in text) or (one.display_name and one.display_name in text)
    ]
    return [
        f"{answer.question}: {one.display_name} ({one.uuid})" for one in shown if str(one.uuid) not in client.gained
    ]


def known() -> list[Profile]:
    """Return people with names that stand for nobody else."""
    people = list(Profile.objects.filter(erased_at=None, merged_into=None).exclude(display_name="", email=""))
    for number, one in enumerate(people):
        one.display_name = f"Quintessa{number} Vos{one.pk}x"
        one.save(update_fields=["display_name"])
    return people


def test_every_page_that_shows_a_person_leaves_a_row(world: dict[str, Any]) -> None:
    """Walk as the Administrator, who opens what the others open too."""
    people = known()
    client = watched(ADMINISTRATOR)
    missing = [
        line
        for answer in crawl(client, [*page_starts(world), *admin_starts()])
        for line in unlogged(client, answer, people)
    ]
    assert not missing, "\n".join(sorted(set(missing)))


def test_every_route_of_the_api_that_shows_a_person_leaves_a_row(world: dict[str, Any]) -> None:
    people = known()
    client = watched(ADMINISTRATOR)
    client.defaults["HTTP_AUTHORIZATION"] = api_headers(ADMINISTRATOR)["Authorization"]
    missing = [line for answer in crawl(client, api_starts(world)) for line in unlogged(client, answer, people)]
    assert not missing, "\n".join(sorted(set(missing)))


def test_what_is_noted_holds_no_personal_value(world: dict[str, Any]) -> None:
    """Search for a person by name and address, filter lists by them: the log names ids and counts only."""
    person: Profile = world["person"]
    client = watched(PRIVACY)
    for path in ("/people/", "/search/", f"/campaigns/{world['running'].pk}/people/", "/privacy/log/"):
        for text in (person.email, "wilhelmina"):
            read(client, "GET", f"{path}?q={text}&search={text}&reference={text}&find={text}")
            assert text not in client.gained.lower(), client.gained


def test_a_part_that_is_asked_again_is_one_look(world: dict[str, Any]) -> None:
    client = browser(PRIVACY)
    path = f"/people/{world['person'].uuid}/timeline/"
    cache.clear()
    with transaction.atomic():
        for _time in range(3):
            client.get(path, headers={"HX-Request": "true"})
        assert AccessLog.objects.filter(action="profile.timeline_viewed").count() == 1


def test_a_person_is_found_in_the_log_among_others(world: dict[str, Any]) -> None:
    client = browser(PRIVACY)
    client.get("/people/")
    page = client.get(f"/privacy/access/?q={world['person'].uuid}").content.decode()
    assert "listed people" in page


def test_a_look_at_many_is_one_row_and_bounded(rf: Any, world: dict[str, Any]) -> None:
    request = rf.get("/")
    request.user = None
    record_look(request, "profile.listed", [f"id-{number}" for number in range(900)])
    row = AccessLog.objects.get(action="profile.listed")
    assert row.detail["rows"] == 900 and len(row.detail["people"]) == 500
