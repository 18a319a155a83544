"""What an erasure leaves is found by a search that knows no table, and named on the receipt (S5)."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cdp.common.reasons import reason_text
from consent.mentions import Mentions, Place, files_with, find_mentions, table_label
from consent.models import Erasure
from consent.services import erase_person
from profiles.catalogue.store import new_tally, write
from profiles.identity.whole_words import telling
from profiles.importing.services import cancel_import
from profiles.models import Import, ImportRow
from profiles.models.imports import ImportState
from segments.erasing import ERASED_VALUE, without_person
from segments.models import SegmentVersion
from segments.services import create_segment
from tests.consent.factories import identifier, person
from tests.profiles.importing.helpers import checked, confirm, upload

pytestmark = pytest.mark.django_db

ADDRESS = "zoë.de-vries@klantbeeld.example"
PHONE = "+31612345678"


def run_sql(sql: str, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def found(*values: str) -> dict[str, int]:
    return {f"{place.table}.{place.column}": rows for place, rows in find_mentions(values).found.items()}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", f"Write to {ADDRESS.upper()}, please"),
        ("varchar(200)", ADDRESS),
        ("jsonb", f'{{"a": [{{"b": "mailto:{ADDRESS}"}}]}}'),
        ("json", f'"{ADDRESS}"'),
        ("text[]", f"{{x,{ADDRESS}}}"),
        ("bytea", ADDRESS.encode()),
        ("bytea", f'{{"email":"{ADDRESS}"}}'.replace("ë", "\\u00eb").encode()),
    ],
)
def test_any_column_of_any_table_is_searched(kind: str, value: Any) -> None:
    run_sql(f"CREATE TABLE somebodys (id int, what {kind})")
    run_sql("INSERT INTO somebodys VALUES (1, %s), (2, %s), (3, NULL)", [value, value])
    assert found(ADDRESS) == {"somebodys.what": 2}


@pytest.mark.parametrize("value", [f"x{ADDRESS}", f"{ADDRESS}pl", "612345678", f"{PHONE}0", ADDRESS.replace("-", "+")])
def test_a_part_of_another_value_is_no_mention(value: str) -> None:
    run_sql("CREATE TABLE somebodys (what text)")
    run_sql("INSERT INTO somebodys VALUES (%s)", [value])
    assert found(ADDRESS, PHONE) == {}


def test_partitions_and_what_was_detached_count_once() -> None:
    run_sql("CREATE TABLE cut (at int, what text) PARTITION BY RANGE (at)")
    for low in (0, 10):
        run_sql(f"CREATE TABLE cut_{low} PARTITION OF cut FOR VALUES FROM ({low}) TO ({low + 10})")
        run_sql("INSERT INTO cut VALUES (%s, %s)", [low, ADDRESS])
    assert found(ADDRESS) == {"cut.what": 2}
    run_sql("ALTER TABLE cut DETACH PARTITION cut_0")
    assert found(ADDRESS) == {"cut.what": 1, "cut_0.what": 1}


def test_what_there_was_no_time_for_is_named() -> None:
    run_sql("CREATE TABLE slow AS SELECT repeat(md5(n::text), 40) AS what FROM generate_series(1, 60000) n")
    mentions = find_mentions([ADDRESS], seconds=0.02)
    assert Place("slow", "what") in mentions.unsearched
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] not in ("20ms", "1ms"), "the limit does not stay with the connection"


def test_without_words_nothing_is_searched() -> None:
    assert find_mentions([]) == Mentions()
    assert telling(["42", "anna@shop.nl", "", "anna@shop.nl"]) == ["anna@shop.nl"]
    assert table_label("profiles_profile") == "People"
    assert Place("profiles_profile", "traits").label == "People: traits"
    assert Place("unknown", "x").label == "unknown: x"


def test_files_are_searched_in_pieces(tmp_path: Path) -> None:
    value = "anna@shop.nl"
    (tmp_path / "postgres").mkdir()
    for name, text in {
        "across.csv": "x" * ((1 << 20) - 5) + value.upper(),
        "sub.txt": "nothing",
        "postgres/data": value,
    }.items():
        (tmp_path / name).write_text(text)
    assert files_with([value], [tmp_path]) == [tmp_path / "across.csv"]


def zoe(**fields: Any) -> int:
    """Make the person who will be erased."""
    profile = person(ADDRESS, **fields)
    identifier(profile, "phone", PHONE)
    identifier(profile, "user_id", "42")
    return profile.pk


def erase(profile_id: int, reason: str = "request") -> Erasure:
    return erase_person(profile_id=profile_id, actor="test", reason=reason)


def test_the_receipt_names_others_whose_traits_hold_the_address() -> None:
    friend = person("bert@shop.nl", traits={"invited_by": ADDRESS, "n": 42})
    receipt = erase(zoe(), reason=f"asked from {ADDRESS.upper()}")
    assert receipt.left["found"] == [["profiles_profile", "traits", 1]]
    assert receipt.left["people"] == [str(friend.uuid)]
    assert receipt.left["short"] == 1, "the customer number 42 stands in many places that have nothing to do with it"
    assert receipt.reason == "asked from …"
    friend.refresh_from_db()
    assert friend.traits["invited_by"] == ADDRESS, "what others said stays theirs; a person decides"


def test_the_receipt_names_files_that_wait_and_what_is_staged_is_empty() -> None:
    profile_id = zoe()
    staged = checked(f"email,city\n{ADDRESS},Ede\nbert@shop.nl,Ede\n")
    waiting = upload(f"email\n{ADDRESS}\n")
    upload("email\ncarla@shop.nl\n")
    receipt = erase(profile_id)
    assert set(receipt.left["imports"]) == {staged.pk, waiting.pk}
    assert receipt.counts["profiles_importrow"] == 1
    assert receipt.left["found"] == []
    done = confirm(staged)
    assert done.state == ImportState.DONE
    assert set(ImportRow.objects.filter(import_id=staged.pk).values_list("outcome", "reason")) == {
        ("skipped", "erased"),
        ("created", ""),
    }
    again = checked(f"email,city\n{ADDRESS},Ede\n")
    assert ImportRow.objects.get(import_id=again.pk).data is None
    cancel_import(import_id=waiting.pk)
    assert not Import.objects.get(pk=waiting.pk).file


def rule_of(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"include": {"type": "any", "children": list(nodes)}, "exclude": None}


def seen_traits(*names: str) -> None:
    """Let the catalogue know of these traits, so that a rule may ask for them."""
    tally = new_tally()
    for name in names:
        tally.trait(name, None, "x", at=timezone.now(), source_id=None)
    write(tally)


def trait(key: str, value: Any, operator: str = "is") -> dict[str, Any]:
    return {"type": "trait", "key": key, "operator": operator, "value": value}


def test_a_saved_rule_that_names_the_person_names_nobody_afterwards() -> None:
    seen_traits("email", "quantity")
    profile_id = zoe(traits={"email": ADDRESS})
    segment = create_segment(name="One", rule=rule_of(trait("email", ADDRESS.upper()), trait("quantity", "42")))
    other = create_segment(name="Other", rule=rule_of(trait("quantity", "42")))
    receipt = erase(profile_id)
    version = SegmentVersion.objects.get(segment=segment)
    assert version.rule == rule_of(trait("email", ERASED_VALUE), trait("quantity", "42"))
    assert ADDRESS not in version.sentence.lower() and ERASED_VALUE in version.sentence
    assert SegmentVersion.objects.get(segment=other).rule == rule_of(trait("quantity", "42"))
    (note,) = receipt.notes
    assert str(segment.pk) in reason_text(note["code"], note["params"])
    assert receipt.left["found"] == []
    with pytest.raises(Exception, match="read only|Cannot update"):
        SegmentVersion.objects.filter(pk=version.pk).update(rule={})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (trait("email", [ADDRESS, "b@c.nl"], "is_one_of"), trait("email", [ERASED_VALUE, "b@c.nl"], "is_one_of")),
        (trait("note", ADDRESS), trait("note", ERASED_VALUE)),
        (trait("mobile", "+31 6 1234 5678"), trait("mobile", ERASED_VALUE)),
        (trait("user_id", 42), trait("user_id", ERASED_VALUE)),
        (trait("size", 42), trait("size", 42)),
        (trait("note", "about " + ADDRESS), trait("note", "about " + ADDRESS)),
        ({"where": [trait("email", ADDRESS)]}, {"where": [trait("email", ERASED_VALUE)]}),
    ],
)
def test_values_of_a_rule_are_compared_by_kind(before: Any, after: Any) -> None:
    pairs = {("email", ADDRESS), ("phone", PHONE), ("user_id", "42")}
    assert without_person(before, pairs) == after
    assert without_person(after, pairs) == after


def test_the_command_finds_what_is_left_and_ends_with_an_error(settings: LazySettings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    profile_id = zoe(traits={"email": ADDRESS})
    with pytest.raises(CommandError, match="found in"):
        call_command("verify_erasure", ADDRESS, stdout=StringIO())
    erase(profile_id)
    out = StringIO()
    call_command("verify_erasure", ADDRESS, PHONE, stdout=out)
    assert out.getvalue() == "nothing was found\n"
    (tmp_path / "old.csv").write_text(ADDRESS)
    person("bert@shop.nl", traits={"invited_by": ADDRESS})
    out = StringIO()
    with pytest.raises(CommandError, match="1 columns and 1 files"):
        call_command("verify_erasure", ADDRESS, stdout=out)
    assert out.getvalue() == f"profiles_profile.traits: 1\n{tmp_path / 'old.csv'}\n"


def test_the_page_of_the_receipt(client_as: Callable[[str], Client]) -> None:
    friend = person("bert@shop.nl", traits={"invited_by": ADDRESS}, display_name="Bert")
    seen_traits("invited_by")
    create_segment(name="One", rule=rule_of(trait("invited_by", ADDRESS)))
    receipt = erase(zoe())
    client, page = client_as("Privacy officer"), reverse("consent:erasure", args=[receipt.pk])
    text = client.get(page).content.decode()
    assert "In the traits of:" in text and str(friend.uuid) in text
    assert "named the person. The value was taken out." in text
    assert "is too short to be searched for" in text
    assert ADDRESS not in text
    assert page in client.get(reverse("consent:desk")).content.decode()
    assert client_as("Marketer").get(page).status_code == 403
    Erasure.objects.filter(pk=receipt.pk).update(left={"not_searched": True})
    assert "verify_erasure" in client.get(page).content.decode()
    Erasure.objects.filter(pk=receipt.pk).update(finished_at=None, left={})
    assert "goes on by itself" in client.get(page).content.decode()
