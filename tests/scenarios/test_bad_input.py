"""What is wrong is refused at every door in words that name the place; nothing is half done, and nothing breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, Message, MessageVersion
from cdp.common.models import ApiToken
from cdp.common.roles import ADMINISTRATOR
from consent.models import ConsentRecord, Purpose, Suppression
from profiles.models import Import, Profile, RawMessage, Source
from profiles.services.sources import create_source
from segments.models import Segment, SegmentVersion
from tests.scenarios.installation import Installation, eventually, user_of
from tests.scenarios.matrix import API, NEVER, PAGES
from tests.scenarios.steps import fits, until
from tests.scenarios.walk import address, api_arguments, ask, browser_of, routes

KEPT = (
    Campaign, ConsentRecord, Import, Message, MessageVersion, Profile, Purpose, Segment, SegmentVersion, Source,
    Suppression, User,
)  # fmt: skip


def kept() -> dict[str, int]:
    """Return how many rows there are of what a refusal may not change."""
    return {model.__name__: model._default_manager.count() for model in KEPT}


# The collector: over real HTTP, as SDKs meet it -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b'{"userId": "u1", "event":', 400, "invalid_json", "JSON"),
        (b"\xff\xfe\x00", 400, "invalid_utf8", "UTF-8"),
        (b"[1, 2]", 400, "", ""),
        (b'{"userId": "' + b"x" * 5_000_000 + b'"}', 400, "body_too_large", "4,194,304"),
    ],
)
def test_the_collector_refuses_in_words(
    installation: Installation, body: bytes, status: int, code: str, words: str
) -> None:
    _source, key = create_source(name="Bad input", kind="server")
    before = RawMessage.objects.count()
    answer = httpx.post(installation.url + "/v1/track", content=body, auth=(key, ""), trust_env=False)
    told = answer.json()
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.status_code == status or answer.status_code == 413, answer.text
    assert (told["code"] == code or not code) and told["message"] and words in told["message"], told
    assert RawMessage.objects.count() == before


def test_the_collector_refuses_a_wrong_key(installation: Installation) -> None:
    before = RawMessage.objects.count()
    event = {"userId": "u1", "event": "E"}
    answer = httpx.post(installation.url + "/v1/track", json=event, auth=("kb_sec_nonsense", ""), trust_env=False)
    assert answer.status_code in (400, 401) and answer.json()["code"] == "invalid_key"
    assert RawMessage.objects.count() == before


def test_a_body_beyond_all_limits_is_refused_by_every_door(installation: Installation) -> None:
    before = kept()
    giant = b'{"name": "' + b"x" * 20_000_000 + b'"}'
    with installation.api() as api:
        for path in ("segments/", "messages/", "profiles/"):
            answer = api.post(path, content=giant, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 413), f"{path}: {answer.status_code}"
            assert {"code", "message"} <= set(answer.json()), answer.text[:300]
    assert kept() == before | {"User": kept()["User"]}


def test_one_hopeless_event_of_a_batch_is_shown(installation: Installation, page_as: Callable[[str], Page]) -> None:
    _source, key = create_source(name="Half bad", kind="server")
    batch = [
        {"type": "track", "event": "Good", "userId": "half-1", "messageId": "half-good"},
        {"type": "track", "event": "Huge", "userId": "half-1", "properties": {"text": "x" * 40_000}},
    ]
    answer = httpx.post(installation.url + "/v1/batch", json={"batch": batch}, auth=(key, ""), trust_env=False)
    assert answer.status_code == 200
    page = page_as("Marketer")
    page.goto("/live/rejected/")
    row = page.get_by_role("row").filter(has_text="Half bad")
    until(page, lambda: row.count() == 1, "the event that is too large, in the list of rejected ones")
    fits(page, "rejected")
    row.get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("32")
    eventually(lambda: Profile.objects.filter(identifiers__value="half-1").exists(), "its neighbour has landed")


# The REST API, exactly ------------------------------------------------------------------------------------------

TRAIT = {"type": "trait", "key": "city", "operator": "is", "value": "Ede"}
LETTER = {"name": "L", "subject": "S", "body": "Hi", "from_name": "Shop", "from_email": "a@shop.example"}


def rule(node: Any) -> dict[str, Any]:
    """Return a segment with this rule."""
    return {"name": "Bad", "rule": {"include": node, "exclude": None}}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("segments/", rule({"type": "all", "children": []}), "include"),
        ("segments/", rule({"type": "not"}), "include"),
        ("segments/", rule({**TRAIT, "operator": "resembles"}), "include"),
        (
            "segments/",
            rule({"type": "all", "children": [TRAIT, {"type": "member", "segment_id": "nothing"}]}),
            "include.1",
        ),
        ("segments/", rule({"type": "event", "name": "E", "count": "at_least", "times": -1}), "include"),
        ("segments/", {"name": "Bad"}, "rule"),
        ("messages/", {**LETTER, "body": "One\n\n{% if person.city %}"}, "body"),
        ("messages/", {**LETTER, "subject": "{{ person.first_name"}, "subject"),
        ("messages/", {**LETTER, "body": "{{ person.first_name | nonsense }}"}, "body"),
        ("messages/", {**LETTER, "from_email": "not an address"}, "from_email"),
        ("messages/", {**LETTER, "boddy": "Hi"}, "boddy"),
        ("campaigns/", {"name": "C", "segment_id": "nothing"}, "segment_id"),
        ("campaigns/", {"name": ""}, "name"),
        ("consent-records/", {"profile_id": "nobody", "purpose_id": "x", "state": "given"}, "profile_id"),
        ("purposes/", {"name": "P", "channels": ["pigeon"]}, "channels"),
        ("suppression/", {"kind": "email", "value": "", "reason": "manual"}, "value"),
        ("profiles/", {"identifiers": [{"kind": "email"}]}, "identifiers"),
        ("sources/", {"name": "S", "kind": "telepathy"}, "kind"),
    ],
)
def test_the_api_names_the_place_of_a_mistake(path: str, body: dict[str, Any], place: str) -> None:
    _row, token = ApiToken.issue(user=user_of(ADMINISTRATOR), name="t")
    before = kept()
    answer = Client(raise_request_exception=False).post(
        f"/api/v1/{path}", body, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )
    told = answer.json()
    assert answer.status_code in (400, 422), told
    assert told["code"] and told["message"]
    named = f"{told.get('place', '')} {json.dumps(told.get('fields', {}))} {json.dumps(told.get('detail', {}))}"
    assert place in named, told
    assert kept() == before


HOSTILE = [
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"7",
    b'{"name": NaN}',
    b"[" * 3000,
    b'{"name": "\\u0000", "rule": "\\ud800", "subject": 5, "body": {}, "identifiers": 7, "traits": [], "state": []}',
    b'{"name": 12345678901234567890123456789, "segment": 1e400}',
    b'{"name": 5, "segment": "x", "profile": {}, "purpose": [], "rule": {"include": [], "exclude": 7}, "value": {}}',
    b'{"local_time": "9999-99-99T99:99", "time_zone": "../../etc/passwd", "confirm": -1, "mapping": 3, "traits": {}}',
    b'{"identifiers": [{"kind": "email", "value": "\\u0000"}], "traits": {"": {"a": [[[[]]]]}}, "evidence": 4}',
]


@pytest.mark.django_db
def test_no_body_breaks_an_api_route(world: dict[str, Any]) -> None:
    token = ApiToken.issue(user=user_of(ADMINISTRATOR), name="t")[1]
    client, headers = Client(raise_request_exception=False), {"Authorization": f"Bearer {token}"}
    faults = []
    for name, methods in API.items():
        path = reverse(name, args=api_arguments(name, world))
        for method in methods:
            if method in ("GET", "DELETE"):
                continue
            for body in HOSTILE:
                answer = ask(client, method, path, data=body, content_type="application/json", headers=headers)
                if answer.status_code >= 500:
                    faults.append(f"{method} {path} {body[:60]!r}: {answer.status_code}")
                elif answer.status_code >= 400 and not {"code", "message"} <= set(answer.json()):
                    faults.append(f"{method} {path} {body[:60]!r}: no code and message")
    assert not faults, "\n".join(faults)


QUERIES = (
    "q=%00&search=%00&sort=%27&at=%FF&export=xml&status=%27%3B--&state=x&period=x&person=x&reason=%00&kind=%00",
    "cursor=%FF&at=eyJ4IjoxfQ&limit=-1&search=" + "%F0%9F%92%A9" * 50 + "&sort=-nonsense&text=99999999999999999999",
    "before=9999-99-99&source=99999999999999999999&campaign=99999999999999999999&profile=x&name=%27&find=%00&starter=x",
)


@pytest.mark.django_db
def test_no_query_breaks_a_page_or_a_route(world: dict[str, Any]) -> None:
    client = browser_of(ADMINISTRATOR)
    faults = []
    for name, _pattern, route in routes():
        if name not in PAGES or PAGES[name][0] == NEVER or name in ("healthz", "readyz", "api_schema", "health"):
            continue
        path = address(name, route, world)
        faults += [f"{path}?{query}" for query in QUERIES if ask(client, "GET", f"{path}?{query}").status_code >= 500]
    for name, methods in API.items():
        if "GET" in methods:
            path = reverse(name, args=api_arguments(name, world))
            faults += [
                f"{path}?{query}" for query in QUERIES if ask(client, "GET", f"{path}?{query}").status_code >= 500
            ]
    assert not faults, "\n".join(faults)


FIELDS = (
    "name", "subject", "body", "segment", "exclude", "purpose", "message", "when", "local_time", "time_zone", "confirm",
    "key", "value", "kind", "slug", "state", "channel", "reason", "payload", "text", "enabled", "overlap_hours",
    "format",
    "from_name", "from_email", "required_traits", "person", "action", "n:include:type", "n:include.0:type", "version",
    "allowed_origins", "language", "encoding", "delimiter", "username", "password", "next", "occurred_at", "words",
)  # fmt: skip
WORDS = ("%00", "%F0%9F%92%A9%EF%BF%BF", "-99999999999999999999", "%7B%25+if+%25%7D", "%27%22%3E%3Cscript%3E")


@pytest.mark.django_db
def test_no_form_breaks_a_page(world: dict[str, Any]) -> None:
    client = browser_of(ADMINISTRATOR)
    faults = []
    for name, _pattern, route in routes():
        if name not in PAGES or PAGES[name][1] == NEVER:
            continue
        path = address(name, route, world)
        for word in WORDS:
            body = "&".join(f"{field.replace(':', '%3A')}={word}" for field in FIELDS).encode()
            answer = ask(client, "POST", path, data=body, content_type="application/x-www-form-urlencoded")
            if answer.status_code >= 500:
                faults.append(f"POST {path} with {word}: {answer.status_code}")
    assert not faults, "\n".join(faults)


# The pages, in a browser ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, ""),
        (b'email,name\n"unclosed,1\nx@y.example,2\n' * 3, ""),
    ],
)
def test_a_broken_file_is_told_and_changes_nobody(
    installation: Installation, page_as: Callable[[str], Page], content: bytes, words: str, tmp_path: Any
) -> None:
    file = tmp_path / "broken.csv"
    file.write_bytes(content)
    people = Profile.objects.count()
    page = page_as("Marketer")
    page.goto("/imports/new/")
    page.get_by_label("File of contacts").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    start = page.get_by_role("button", name="Start the dry run")
    told = page.locator(".errors, .errorlist, .notice-error, .notice-warning, .field-error").filter(visible=True).first
    expect(start.or_(told).first).to_be_visible()
    if start.count():
        start.click()
        outcome = page.get_by_text("Nothing has been written to people").or_(told)
        expect(outcome.first).to_be_visible(timeout=60_000)
    else:
        expect(told).to_contain_text(words)
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("broke on our side")
    assert Profile.objects.count() == people
