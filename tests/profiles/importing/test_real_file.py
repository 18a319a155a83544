"""D10: a file as a Dutch shop really has it goes through the wizard, and a wrong cell costs that cell only."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common.roles import ANALYST, MARKETER
from profiles.importing import services as service
from profiles.importing.runner import run_imports
from profiles.models import Identifier, Import, ImportRow
from tests.profiles.importing.helpers import checked, outcomes, person, upload

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]
ROWS = (
    "Klantnr;E-mailadres;Mobiel;Voornaam;Tussenvoegsel;Naam;Straat;Huisnr;Postcode;Plaats;Land;Geboortedatum;"
    "Omzet;Korting;Punten;Laatste bezoek",
    "1001;Zoë@Crème.example ;06-12345678;Zoë;van der;Berg;Oude Gracht;12-bis;3511 AB;Utrecht;NL;31-12-1980;"
    "€ 1.234,56;12,5 %;6.625;03/04/2026",
    "1002;bert@shop.example;+31 (0)6 87654321;Bert;;Müller;Straße;1;1011 AB;Amsterdam;NL;1-2-1990;-€ 45,00;;1.250;"
    "05/06/2026",
    "1003;carla@shop.example;06-123;Carla;de;Vries;;;;'s-Hertogenbosch;NL;31-02-1990;45,-;veel;12;07/08/2026",
    "1004;kapot@;0031 6 11111111;Daan;;Bos;;;;;NL;;(45,00);;;",
    "1005;eva@shop.example;;Eva;;=1+1;;;;;;;1 234,56;;;",
    ";niemand@shop.example;06-22222222;Fem;;Dijk;;;;;;;;;;",
)
#: what the wizard asks about this file, and a type that it does not guess
ANSWERS = {"Punten": "number_comma", "Laatste bezoek": "date_day", "Korting": "number_comma"}
TEXT = "\r\n".join(ROWS) + "\r\n"


def walked(content: bytes, client: Client, **choices: str) -> Import:
    """Walk the wizard: upload, look, choose what it asks, check."""
    client.post(reverse("profiles:import_new"), {"file": io.BytesIO(content)}, follow=True)
    job = Import.objects.latest("pk")
    fields = {"match": "user_id", "country": "NL"}
    for column in job.mapping["columns"]:
        index, target = column["index"], column["target"]
        is_trait = target.startswith("trait:")
        fields[f"target_{index}"] = "trait" if is_trait else target
        fields[f"trait_{index}"] = target.removeprefix("trait:")
        type_ = {"number": "number_comma", "date": "date_day"}.get(column["type"], column["type"])
        fields[f"type_{index}"] = choices.get(column["header"], type_)
    client.post(reverse("profiles:import_map", args=[job.pk]), fields)
    run_imports()
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("codec", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
def test_a_real_file_comes_in_with_all_that_can_be_read_of_it(client_as: ClientAs, codec: str) -> None:
    client = client_as(MARKETER)
    job = walked(TEXT.encode(codec), client, **ANSWERS)
    assert (job.state, outcomes(job)) == ("ready", {"created": 5, "rejected": 1}), job.error_code
    page = client.get(reverse("profiles:import", args=[job.pk])).text
    assert "Cells left out" in page and "Not a phone number" in page
    assert "6.625 → 6625" in page and "03/04/2026 → 2026-04-03" in page  # nothing in the file tells which is meant
    service.confirm_import(import_id=job.pk, actor=None)
    run_imports()
    zoe = person("user_id", "1001")
    assert zoe is not None and zoe.display_name == "Zoë van der Berg"
    assert zoe.traits == {
        "email": "zoë@xn--crme-6oa.example",
        "phone": "+31612345678",
        "first_name": "Zoë",
        "name_infix": "van der",
        "last_name": "Berg",
        "street": "Oude Gracht",
        "house_number": "12-bis",
        "postal_code": "3511 AB",
        "city": "Utrecht",
        "country": "NL",
        "birthday": "1980-12-31",
        "omzet": 1234.56,
        "korting": 12.5,
        "punten": 6625,
        "laatste_bezoek": "2026-04-03",
    }
    phones = Identifier.objects.filter(kind="phone").order_by("value").values_list("value", flat=True)
    assert list(phones) == ["+31611111111", "+31612345678", "+31687654321"]
    carla, daan, eva = (person("user_id", number) for number in ("1003", "1004", "1005"))
    assert carla is not None and daan is not None and eva is not None
    assert carla.traits["omzet"] == 45 and {"phone", "birthday", "korting"}.isdisjoint(carla.traits)
    assert carla.traits["city"] == "'s-Hertogenbosch"
    assert daan.traits["omzet"] == -45 and "email" not in daan.traits
    assert eva.traits["omzet"] == 1234.56 and eva.traits["last_name"] == "=1+1"
    job.refresh_from_db()
    assert sorted((column, code) for column, code, _count in job.counts["left_out"]) == [
        ("E-mailadres", "not_an_email"),
        ("Geboortedatum", "not_a_date"),
        ("Korting", "not_a_number"),
        ("Mobiel", "not_a_phone"),
    ]


def test_cells_left_out_are_listed_by_reason_and_can_be_downloaded(client_as: ClientAs) -> None:
    client = client_as(MARKETER)
    job = walked(TEXT.encode("cp1252"), client, **ANSWERS)
    rows = reverse("profiles:import_rows", args=[job.pk])
    shown = client.get(rows, {"left_out": "not_a_phone:Mobiel"}).text
    assert "carla@shop.example" in shown and "bert@shop.example" not in shown
    assert "Mobiel: Not a phone number" in shown
    assert "carla@" not in client.get(rows, {"left_out": "not_a_phone:Korting"}).text
    csv_page = reverse("profiles:import_left_out", args=[job.pk])
    text = b"".join(client.get(csv_page).streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    lines = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert {(line["_line"], line["_column"], line["_person"]) for line in lines} == {
        ("4", "Mobiel", "user_id:1003"),
        ("4", "Geboortedatum", "user_id:1003"),
        ("4", "Korting", "user_id:1003"),
        ("5", "E-mailadres", "user_id:1004"),
    }
    assert "06-123" not in text and "kapot@" not in text
    assert client_as(ANALYST).get(csv_page).status_code == 403
    listed = client_as(MARKETER).get(f"/api/v1/imports/{job.uuid}/rows/", {"left_out": "not_a_phone:Mobiel"}).json()
    (row,) = listed["results"]
    assert row["line"] == 4 and {"column": "Mobiel", "code": "not_a_phone"} in row["left_out"]


def test_what_can_be_read_in_two_ways_is_asked_and_never_guessed(client_as: ClientAs) -> None:
    client = client_as(MARKETER)
    client.post(reverse("profiles:import_new"), {"file": io.BytesIO(TEXT.encode())}, follow=True)
    job = Import.objects.latest("pk")
    page = client.get(reverse("profiles:import_map", args=[job.pk])).text
    assert "Is 6.625 6625 or 6.625?" in page and "Is 03/04/2026 2026-04-03 or 2026-03-04?" in page
    unanswered = walked(TEXT.encode(), client)
    assert unanswered.state == "uploaded"
    answered = walked(TEXT.encode(), client, Punten="number_point", **{"Laatste bezoek": "date_month"})
    zoe = ImportRow.objects.get(import_id=answered.pk, line=2)
    assert zoe.data is not None
    assert (zoe.data["t"]["punten"], zoe.data["t"]["laatste_bezoek"]) == (6.625, "2026-03-04")


def test_the_country_of_the_file_decides_about_numbers_without_one() -> None:
    content = "klantnr;telefoon\n1;0475 12 34 56\n"
    guess = upload(content).mapping
    job = checked(content, {**guess, "country": "BE"})
    assert ImportRow.objects.get(import_id=job.pk).data == {
        "i": [["user_id", "1"], ["phone", "+32475123456"]],
        "t": {"phone": "+32475123456"},
    }
    with pytest.raises(Exception, match="no such country"):
        service.start_check(import_id=upload(content).pk, mapping={**guess, "country": "XX"})


@pytest.mark.parametrize("encoding", ["cp1250", "mac-roman", "cp850"])
def test_an_encoding_can_be_chosen_by_how_its_letters_look(client_as: ClientAs, encoding: str) -> None:
    client = client_as(MARKETER)
    content = "email;plaats\na@shop.example;Zoëtermeer\n".encode(encoding)
    client.post(reverse("profiles:import_new"), {"file": io.BytesIO(content)}, follow=True)
    job = Import.objects.latest("pk")
    page = reverse("profiles:import_map", args=[job.pk])
    assert f'value="{encoding}">' in client.get(page).text or f'value="{encoding}" selected>' in client.get(page).text
    assert ": Zoëtermeer</option>" in client.get(page).text
    chosen: dict[str, Any] = {"reading": "1", "encoding": encoding, "delimiter": ";"}
    assert "<td>Zoëtermeer</td>" in client.post(page, chosen, follow=True).text
