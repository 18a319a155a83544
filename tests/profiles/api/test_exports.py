"""Bulk exports: complete, of one moment, masked, resumable, and gone when somebody in them is erased."""

from __future__ import annotations

import csv
import gzip
import io
import json
import resource
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from cdp.common.keyset import keyset_page
from cdp.common.models import AccessLog, ApiToken
from cdp.common.queues import drain
from consent.services.erasing import erase_person
from profiles.exporting import runner
from profiles.exporting.files import folder, path_of
from profiles.exporting.jobs import remove_exports
from profiles.models import Export, Profile
from profiles.processing.drain import drain_inbox
from profiles.services.profiles import PersonRow, restrict_person, upsert_people
from tests.consent.factories import purpose, say
from tests.lists.crowd import multiply
from tests.profiles.processing.inbox import identify, put, send, source, track
from tests.segments.factories import segment

Token = Callable[..., dict[str, str]]
URL = "/api/v1/exports/"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Any) -> None:
    settings.VAR_DIR = tmp_path


def ask(headers: dict[str, str], **body: Any) -> Any:
    """Ask for an export."""
    return Client().post(URL, json.dumps(body), content_type="application/json", headers=headers)


def fetch(headers: dict[str, str], **body: Any) -> str:
    """Ask for an export, have it written, and return what is in its file."""
    answer = ask(headers, **body)
    assert answer.status_code == 202, answer.content
    drain("exports")
    job = Client().get(answer["Location"], headers=headers).json()
    assert job["state"] == "done", job
    file = Client().get(job["download_url"], headers=headers)
    assert file.status_code == 200 and int(file["Content-Length"]) == job["size"]
    return gzip.decompress(file.getvalue()).decode()


def lines(text: str) -> list[dict[str, Any]]:
    """Return the rows of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def make_people(count: int, **traits: Any) -> None:
    """Make people."""
    upsert_people(
        rows=[
            PersonRow(identifiers=[("user_id", f"u{n}")], traits={"email": f"u{n}@secret.example", **traits})
            for n in range(count)
        ],
        source=source(),
        cause="api",
    )


def test_people_come_with_all_that_the_api_says_of_them(api_token: Token) -> None:
    headers = api_token()
    make_people(3, city="Gent")
    first = Profile.objects.order_by("pk")[0]
    say(first, purpose("news"), "given")
    segment("Everyone", {"type": "everyone"})
    restrict_person(profile_id=Profile.objects.order_by("pk")[2].pk, restricted=True)
    rows = lines(fetch(headers, kind="people"))
    assert len(rows) == 2, "whose data is restricted stays"
    one = Client().get(f"/api/v1/profiles/{first.uuid}/", headers=headers).json()
    assert rows[0] == one
    light = lines(fetch(headers, kind="people", include=["traits"]))
    assert light[0]["traits"]["city"] == "Gent" and "identifiers" not in light[0]
    assert {row["id"] for row in lines(fetch(headers, kind="members", filters={"segment_id": "everyone"}))} == {
        row["id"] for row in rows
    }
    (record,) = lines(fetch(headers, kind="consent_records"))
    assert (record["profile_id"], record["purpose_id"], record["state"]) == (str(first.uuid), "news", "given")


def test_csv_has_a_column_for_each_trait_and_no_live_formula(api_token: Token) -> None:
    make_people(1, city='=HYPERLINK("x")', tags=["a", "b"], score=4.5)
    table = list(csv.DictReader(io.StringIO(fetch(api_token(), kind="people", format="csv"))))
    (row,) = table
    assert row["traits.city"].startswith("'=") and row["traits.score"] == "4.5"
    assert json.loads(row["traits.tags"]) == ["a", "b"]
    assert row["identifiers.user_id"] == "u0" and row["identifiers.email"] == "u0@secret.example"


def test_the_file_is_of_one_moment_whoever_writes_meanwhile(api_token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    make_people(25)
    monkeypatch.setattr(runner, "BLOCK", 4)
    real = keyset_page
    calls: list[int] = []

    def writing(*args: Any, **options: Any) -> Any:
        if len(calls) == 2:
            import threading

            from django.db import connections

            def write() -> None:
                make_people(40, city="Later")
                connections.close_all()

            thread = threading.Thread(target=write)
            thread.start()
            thread.join(60)
        calls.append(1)
        return real(*args, **options)

    monkeypatch.setattr(runner, "keyset_page", writing)
    rows = lines(fetch(api_token(), kind="people"))
    assert len(rows) == 25 and len({row["id"] for row in rows}) == 25
    assert not any("city" in row["traits"] for row in rows)
    assert Profile.objects.count() == 40


def test_events_and_deliveries_come_once_each_with_flat_memory(api_token: Token) -> None:
    origin = source()
    put(origin, [track(f"m{n}", userId="u1", minute=n, properties={"n": n}) for n in range(30)])
    put(origin, [identify("i1", userId="u1", traits={"email": "u1@secret.example"})])
    drain_inbox(seconds=30)
    with connection.cursor() as cursor:
        multiply("profiles_interaction", 20_000, run=cursor)
    headers = api_token()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ids = [row["id"] for row in lines(fetch(headers, kind="events"))]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000
    assert len(ids) == len(set(ids)) == 20_031
    seen = lines(fetch(headers, kind="events", filters={"name": "Identified"}))
    assert len(seen) >= 1 and {row["name"] for row in seen} == {"Identified"}
    assert fetch(headers, kind="deliveries") == ""


def test_what_cannot_be_exported_is_refused_by_name(api_token: Token) -> None:
    headers = api_token()
    for body, status, code in (
        ({"kind": "orders"}, 400, "export.unknown_kind"),
        ({"kind": "people", "format": "xml"}, 400, "invalid"),
        ({"kind": "people", "include": ["orders"]}, 400, "export.unknown_part"),
        ({"kind": "people", "filters": {"emial": "x"}}, 400, "unknown_parameter"),
        ({"kind": "events", "filters": {"since": "yesterday"}}, 400, "invalid"),
        ({"kind": "members"}, 400, "segment.unknown"),
        ({"kind": "people", "colour": "red"}, 400, "unknown_field"),
    ):
        answer = ask(headers, **body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert ask(api_token("Analyst"), kind="people").status_code == 403


def test_a_broken_download_goes_on_by_range(api_token: Token) -> None:
    headers = api_token()
    make_people(50)
    fetch(headers, kind="people")
    url = f"{URL}{Export.objects.get().uuid}/download/"
    whole = Client().get(url, headers=headers).getvalue()
    parts = []
    for first in range(0, len(whole), 300):
        answer = Client().get(url, headers=headers | {"Range": f"bytes={first}-{first + 299}"})
        assert answer.status_code == 206
        assert answer["Content-Range"].endswith(f"/{len(whole)}")
        parts.append(answer.getvalue())
    assert b"".join(parts) == whole
    assert Client().get(url, headers=headers | {"Range": "bytes=-5"}).getvalue() == whole[-5:]
    assert Client().get(url, headers=headers | {"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert AccessLog.objects.filter(action="export.downloaded").count() == 3


def test_an_erasure_reaches_the_files(api_token: Token) -> None:
    headers = api_token()
    make_people(3)
    fetch(headers, kind="people")
    job = Export.objects.get()
    erase_person(profile_id=Profile.objects.order_by("pk")[0].pk, actor="system:test", reason="asked")
    assert not path_of(job).exists()
    shown = Client().get(f"{URL}{job.uuid}/", headers=headers).json()
    assert (shown["state"], shown["code"], shown["download_url"]) == ("expired", "export.person_erased", None)
    assert Client().get(f"{URL}{job.uuid}/download/", headers=headers).status_code == 409


def test_somebody_erased_while_it_is_written_is_not_in_it(api_token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    make_people(3)
    victim = Profile.objects.order_by("pk")[0]
    real = runner._write
    calls: list[int] = []

    def erasing(*args: Any) -> None:
        real(*args)
        if not calls:
            erase_person(profile_id=victim.pk, actor="system:test", reason="asked")
        calls.append(1)

    monkeypatch.setattr(runner, "_write", erasing)
    text = fetch(api_token(), kind="people")
    assert len(calls) == 2
    assert str(victim.uuid) not in text and "u0@" not in text


def test_it_is_cancelled_deleted_and_ends(api_token: Token) -> None:
    headers = api_token()
    make_people(3)
    waiting = ask(headers, kind="people").json()
    assert waiting["state"] == "waiting" and waiting["download_url"] is None
    assert (
        Client().post(f"{URL}{waiting['id']}/cancel/", content_type="application/json", headers=headers).json()["state"]
        == "cancelled"
    )
    drain("exports")
    fetch(headers, kind="people")
    job = Export.objects.get(state="done")
    assert (
        Client().post(f"{URL}{job.uuid}/cancel/", content_type="application/json", headers=headers).json()["state"]
        == "expired"
    )
    assert not path_of(job).exists()
    fetch(headers, kind="people")
    Export.objects.filter(state="done").update(expires_at=timezone.now())
    job = Export.objects.get(state="done")
    assert Client().get(f"{URL}{job.uuid}/download/", headers=headers).status_code == 409
    stray = folder() / "stray.part"
    stray.write_bytes(b"x")
    remove_exports(timezone.now() + timedelta(seconds=5), 100, {})
    assert not Export.objects.exists() and not list(folder().iterdir())


def test_who_lost_the_right_gets_no_file(api_token: Token, user_as: Any) -> None:
    headers = api_token("Marketer")
    make_people(1)
    ask(headers, kind="people")
    user_as("Marketer").groups.clear()
    drain("exports")
    job = Export.objects.get()
    assert (job.state, job.code) == ("failed", "export.not_allowed")
    assert not path_of(job).exists()


def test_one_user_cannot_fill_the_queue(api_token: Token) -> None:
    headers = api_token()
    codes = [ask(headers, kind="people").status_code for _ in range(6)]
    assert codes == [202] * 5 + [429]


def test_a_token_that_may_not_see_people_gets_them_masked(user_as: Any) -> None:
    scopes = ["exports", "people:read", "events:read"]
    _row, secret = ApiToken.issue(user=user_as("Marketer"), name="figures", scopes=scopes)
    headers = {"Authorization": f"Bearer {secret}"}
    make_people(2, city="Gent")
    for form in ("ndjson", "csv"):
        text = fetch(headers, kind="people", format=form, include=["traits", "identifiers"])
        assert "secret.example" not in text and len(text.splitlines()) == 2 + (form == "csv")
    whole = ask(api_header(user_as("Marketer")), kind="people").json()
    drain("exports")
    assert Client().get(f"{URL}{whole['id']}/download/", headers=headers).status_code == 403
    send(source(), track("m1", "Met Anna de Vries", userId="u0"))
    hidden = ask(headers, kind="events", filters={"name": "Met Anna de Vries"})
    assert hidden.status_code == 403, "how many there are would tell what nobody may read"


def api_header(user: Any) -> dict[str, str]:
    """Return the headers of a token that may what its user may."""
    return {"Authorization": f"Bearer {ApiToken.issue(user=user, name='whole')[1]}"}
