"""The wizard's pages and the API: who may see them, what they say, what they refuse."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common.models import AccessLog
from profiles.importing.runner import run_imports
from profiles.models import Import, Profile
from profiles.models.imports import ImportState
from tests.profiles.importing.helpers import checked, imported, person

pytestmark = pytest.mark.django_db

FILE = "E-mailadres;Voornaam;Plaats\nanna@example.org;Anna;Utrecht\nbroken;Bob;Gent\n"
FORM = {
    "target_0": "id:email",
    "target_1": "trait",
    "trait_1": "first_name",
    "target_2": "trait",
    "trait_2": "city",
    "match": "email",
    "proof_source": "",
    "proof_obtained_on": "",
    "proof_wording": "",
}


def _file(content: str | bytes = FILE, name: str = "contacts.csv") -> io.BytesIO:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    file.name = name
    return file


def test_a_marketer_walks_from_file_to_people(client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    assert "No imports yet" in client.get(reverse("profiles:imports")).text
    answer = client.post(reverse("profiles:import_new"), {"file": _file()}, follow=True)
    assert answer.status_code == 200 and "anna@example.org" in answer.text
    job = Import.objects.get()
    answer = client.post(reverse("profiles:import_map", args=[job.pk]), FORM, follow=True)
    assert "dry run" in answer.text
    run_imports()
    page = client.get(reverse("profiles:import", args=[job.pk])).text
    assert "Nothing has been written to people" in page and "Not a mail address" in page
    assert Profile.objects.count() == 0
    client.post(reverse("profiles:import_act", args=[job.pk, "confirm"]))
    run_imports()
    page = client.get(reverse("profiles:import", args=[job.pk])).text
    assert "All 2 rows were worked through" in page
    rows = client.get(reverse("profiles:import_rows", args=[job.pk]), {"outcome": "created"}).text
    assert "Anna" in rows and "Utrecht" in rows
    anna = person("email", "anna@example.org")
    assert anna is not None
    timeline = client.get(reverse("profiles:person", args=[anna.uuid])).text
    assert "Came in with a file" in timeline and "contacts.csv" in timeline
    rejected = client.get(reverse("profiles:import_rejected", args=[job.pk])).getvalue().decode("utf-8-sig")
    assert (
        rejected.splitlines()[1].startswith("3;E-mailadres;E-mailadres: Not a mail address;")
        and "broken;Bob;Gent" in rejected
    )
    assert set(AccessLog.objects.values_list("action", flat=True)) >= {"import.confirm", "import.rejected_exported"}


def test_undo_asks_for_the_word(client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    job = imported(FILE)
    client.post(reverse("profiles:import_act", args=[job.pk, "undo"]), {"confirm": "no"})
    job.refresh_from_db()
    assert job.state == ImportState.DONE
    client.post(reverse("profiles:import_act", args=[job.pk, "undo"]), {"confirm": "UNDO"})
    run_imports()
    job.refresh_from_db()
    assert (job.state, Profile.objects.count()) == (ImportState.UNDONE, 0)
    assert "This import was undone" in client.get(reverse("profiles:import", args=[job.pk])).text


@pytest.mark.parametrize(
    ("role", "allowed"), [("Marketer", True), ("Administrator", True), ("Analyst", False), ("Privacy officer", False)]
)
def test_only_marketers_and_administrators_import(client_as: Callable[[str], Client], role: str, allowed: bool) -> None:
    client, job = client_as(role), checked(FILE)
    wanted = 200 if allowed else 403
    for name, args in (
        ("imports", []),
        ("import_new", []),
        ("import", [job.pk]),
        ("import_map", [job.pk]),
        ("import_progress", [job.pk]),
        ("import_rows", [job.pk]),
        ("import_rejected", [job.pk]),
    ):
        assert client.get(reverse(f"profiles:{name}", args=args)).status_code == wanted, name
    if not allowed:
        assert client.post(reverse("profiles:import_new"), {"file": _file()}).status_code == 403
        assert client.post(reverse("profiles:import_act", args=[job.pk, "confirm"])).status_code == 403


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 anything", "workbook"),
        (b"", "empty"),
        (b"email\n", "no rows below"),
        (b"\x1f\x8b damaged", "damaged"),
        (b"%PDF-1.7", "PDF"),
        (",".join(f"c{n}" for n in range(10_000)).encode() + b"\n1\n", "10000 columns"),
        (b"a\x00b,c\n1,2\n", "cannot be read"),
        (b'"email\nanna@example.org\n', "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(
    client_as: Callable[[str], Client], content: bytes, words: str
) -> None:
    answer = client_as("Marketer").post(reverse("profiles:import_new"), {"file": _file(content)})
    assert 400 <= answer.status_code < 500
    assert Import.objects.count() == 0
    if content:  # an empty upload is refused by Django's own words
        assert words in answer.text


def test_a_file_above_the_limit_is_refused(client_as: Callable[[str], Client], settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 100
    answer = client_as("Marketer").post(
        reverse("profiles:import_new"), {"file": _file("email\n" + "x@example.org\n" * 50)}
    )
    assert answer.status_code == 413 and "larger than" in answer.text


def test_a_refused_mapping_keeps_the_choices(client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    client.post(reverse("profiles:import_new"), {"file": _file()})
    job = Import.objects.get()
    answer = client.post(reverse("profiles:import_map", args=[job.pk]), {**FORM, "match": "", "trait_2": "home_town"})
    assert answer.status_code == 400
    assert "Choose the column that says who a row is about" in answer.text and 'value="home_town"' in answer.text


def test_another_delimiter_reads_the_file_anew(client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    client.post(reverse("profiles:import_new"), {"file": _file()})
    job = Import.objects.get()
    client.post(reverse("profiles:import_map", args=[job.pk]), {"reading": "1", "encoding": "utf-8", "delimiter": ","})
    job.refresh_from_db()
    assert job.header == ["E-mailadres;Voornaam;Plaats"]


def test_an_encoding_that_cannot_be_is_refused_in_words(client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    client.post(reverse("profiles:import_new"), {"file": _file()})
    job = Import.objects.get()
    answer = client.post(
        reverse("profiles:import_map", args=[job.pk]), {"reading": "1", "encoding": "utf-16", "delimiter": ";"}
    )
    assert answer.status_code == 400 and "cannot be read in this encoding" in answer.text
    job.refresh_from_db()
    assert job.encoding == "utf-8"


def test_what_a_file_says_is_never_markup(client_as: Callable[[str], Client]) -> None:
    evil = "<script>alert(1)</script>"
    job = imported(f"email,{evil}\nanna@example.org,{evil}\nbroken,{evil}\n")
    client = client_as("Administrator")
    for name in ("import", "import_rows"):
        page = client.get(reverse(f"profiles:{name}", args=[job.pk])).text
        assert evil not in page
    assert "&lt;script&gt;" in client.get(reverse("profiles:import_rows", args=[job.pk])).text


def test_formulas_leave_with_an_apostrophe_and_come_back_without(client_as: Callable[[str], Client]) -> None:
    job = imported('email,note\nbroken,"=1+1"\n')
    content = client_as("Marketer").get(reverse("profiles:import_rejected", args=[job.pk])).streaming_content  # type: ignore[attr-defined]
    text = b"".join(content).decode("utf-8-sig")
    assert "'=1+1" in text
    again = imported(text.replace("broken,", "anna@example.org,"))
    anna = person("email", "anna@example.org")
    assert again.counts["outcomes"]["created"] == 1
    assert anna is not None and anna.traits["note"] == "=1+1"


def test_an_integration_does_the_same_over_the_api(client: Client, api_token: Callable[..., dict[str, str]]) -> None:
    headers = api_token("Marketer")
    mapping = {
        "match": "email",
        "columns": [{"header": "E-mailadres", "target": "id:email"}, {"header": "Plaats", "target": "trait:city"}],
    }
    answer = client.post("/api/v1/imports/", {"file": _file(), "mapping": json.dumps(mapping)}, headers=headers)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]
    run_imports()
    assert client.get(f"/api/v1/imports/{number}/", headers=headers).json()["counts"]["outcomes"]["rejected"] == 1
    rows = client.get(f"/api/v1/imports/{number}/rows/", {"outcome": "rejected"}, headers=headers).json()
    assert [(row["line"], row["code"]) for row in rows["results"]] == [(3, "not_an_email")]
    assert client.post(f"/api/v1/imports/{number}/confirm/", headers=headers).json()["state"] == "running"
    run_imports()
    assert client.get(f"/api/v1/imports/{number}/", headers=headers).json()["state"] == "done"
    assert client.post(f"/api/v1/imports/{number}/confirm/", headers=headers).status_code == 409


@pytest.mark.parametrize(
    "body",
    [{}, {"mapping": "{}"}, {"file": "text"}],
)
def test_the_api_refuses_what_is_no_import(
    client: Client, api_token: Callable[..., dict[str, str]], body: dict[str, Any]
) -> None:
    assert client.post("/api/v1/imports/", body, headers=api_token()).status_code == 400
    answer = client.post("/api/v1/imports/", {"file": _file(), "mapping": "{not json"}, headers=api_token())
    assert (answer.status_code, answer.json()["code"]) == (400, "import.json_invalid")


@pytest.mark.parametrize("role", ["Analyst", "Privacy officer"])
def test_the_api_is_closed_to_other_roles(client: Client, api_token: Callable[..., dict[str, str]], role: str) -> None:
    job = checked(FILE)
    headers = api_token(role)
    assert client.get("/api/v1/imports/", headers=headers).status_code == 403
    assert client.post(f"/api/v1/imports/{job.pk}/confirm/", headers=headers).status_code == 403
