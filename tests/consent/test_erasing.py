"""Erasure reaches every holder, keeps the ledger whole, and keeps the person out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from cdp.common.registry import PersonalDataHolder, personal_data
from consent.models import ConsentEvidence, ConsentState, Erasure, Suppression
from consent.services import (
    erase_person,
    find_suppressions,
    lift_suppression,
    suppress_address,
    verify_ledger,
)
from consent.tasks import finish_erasures
from profiles.models import Profile
from profiles.tombstones import find_erased
from tests.consent.factories import identifier, person, purpose, say, state_of

pytestmark = pytest.mark.django_db

MARK = "zonnebloem"  # stands in everything that is personal about the person of these tests


def marked_person() -> Profile:
    """A person whose name, address, traits and evidence hold the mark."""
    anna = person(f"{MARK}@klantbeeld.example", display_name=MARK, search_text=MARK, traits={"first_name": MARK})
    identifier(anna, "user_id", f"{MARK}-1")
    newsletter = purpose()
    say(anna, newsletter, "given", evidence={"page_url": f"https://shop.example/?u={MARK}", "proof": MARK})
    say(anna, newsletter, "withdrawn", evidence={"words": f"I am {MARK}"})
    return anna


def places_with(text: str) -> list[str]:
    """Return the columns of all tables, text, JSON and bytes, in which a text stands."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c "
            "JOIN information_schema.tables t USING (table_schema, table_name) "
            "WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' "
            "AND c.data_type IN ('text', 'character varying', 'jsonb', 'bytea', 'ARRAY')"
        )
        for table, column, kind in cursor.fetchall():
            value = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f'SELECT count(*) FROM "{table}" WHERE {value} ILIKE %s', [f"%{text}%"])
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return sorted(found)


def test_nothing_of_the_person_is_left_anywhere() -> None:
    """Every text, JSON and bytes column of every table is searched, before and after."""
    anna = marked_person()
    assert "consent_consentevidence.payload" in places_with(MARK)
    erase_person(profile_id=anna.pk, actor="test", reason="request of 3 May")
    assert places_with(MARK) == []


def test_ledger_is_whole_after_an_erasure() -> None:
    """The chain covers the digest, not the payload."""
    anna = marked_person()
    receipt = erase_person(profile_id=anna.pk, actor="test", reason="request")
    assert verify_ledger() == []
    assert receipt.counts["consent_consentevidence"] == 2
    assert ConsentEvidence.objects.filter(payload__isnull=False).count() == 0
    assert ConsentState.objects.count() == 0


def test_erased_person_stays_out_of_imports() -> None:
    """Every identifier is a tombstone, whatever its case; others are not touched."""
    anna = marked_person()
    erase_person(profile_id=anna.pk, actor="test", reason="request")
    asked = [("email", f"{MARK.upper()}@klantbeeld.example"), ("user_id", f"{MARK}-1"), ("email", "other@example.org")]
    assert find_erased(asked) == set(asked[:2])


def test_what_only_a_public_key_claimed_is_not_kept_out() -> None:
    """Whoever claims a stranger's address and is erased may not shut the stranger out (S-M6)."""
    claimer = person("claimer@shop.nl")
    for kind, value in (
        ("email", "stranger@shop.nl"),
        ("phone", "0612345678"),
        ("user_id", "42"),
        ("anonymous_id", "d"),
    ):
        identifier(claimer, kind, value, trusted=False)
    erase_person(profile_id=claimer.pk, actor="test", reason="request")
    asked = [("email", "stranger@shop.nl"), ("phone", "0612345678"), ("user_id", "42")]
    assert find_erased(asked) == set()
    kept = {("email", "claimer@shop.nl"), ("anonymous_id", "d")}
    assert find_erased(kept) == kept, "a device is nobody else's, and cannot be guessed"


def test_an_erasure_that_was_broken_off_is_finished_by_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    anna = marked_person()

    def die(_profile_id: int) -> dict[str, int]:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setitem(personal_data._items, "test", PersonalDataHolder(collect=lambda _id: {}, erase=die))
        with pytest.raises(SystemExit):
            erase_person(profile_id=anna.pk, actor="officer", reason="request of 3 May")
    assert Profile.objects.get(pk=anna.pk).erased_at is None
    assert finish_erasures() == 0, "it may still be at work"
    Erasure.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert finish_erasures() == 1
    assert places_with(MARK) == []
    receipt = Erasure.objects.get()
    assert (receipt.actor, receipt.reason) == ("officer", "request of 3 May")
    assert receipt.finished_at
    assert Suppression.objects.values_list("created_by", flat=True).distinct().get() == "officer"


def test_second_erasure_adds_nothing() -> None:
    """Idempotent: the same receipt."""
    anna, bert = marked_person(), person()
    first = erase_person(profile_id=anna.pk, actor="test", reason="request")
    second = erase_person(profile_id=anna.pk, actor="test", reason="again")
    assert (first.pk, second.reason) == (second.pk, "request")
    assert Erasure.objects.count() == 1
    assert Profile.objects.get(pk=bert.pk).erased_at is None


def test_lifted_suppression_no_longer_counts() -> None:
    """An entry is lifted with a reason and stays on the list."""
    row = suppress_address(kind="email", value="Anna@Example.org ", reason="bounce", actor="test")
    assert list(find_suppressions(kind="email", value="anna@example.org")) == [row]
    lift_suppression(suppression_id=row.pk, actor="test", note="address was mended")
    assert Suppression.objects.get().lifted_at is not None
    suppress_address(kind="email", value="anna@example.org", reason="bounce", actor="test")
    assert Suppression.objects.get().lifted_at is None


def test_address_is_not_readable_from_the_list() -> None:
    """Only the digest is kept."""
    suppress_address(kind="email", value=f"{MARK}@klantbeeld.example", reason="manual", actor="test")
    assert places_with(MARK) == []


def test_page_asks_for_the_word(client_as: Callable[[str], Client], user_as: Callable[[str], User]) -> None:
    """The officer sees numbers, types the word, and the person is gone."""
    anna = marked_person()
    client, page = client_as("Privacy officer"), f"/privacy/people/{anna.uuid}/erase/"
    assert "consents" in client.get(page).content.decode()
    assert client.post(page, {"reason": "request", "confirm": "erase"}).status_code == 422
    assert Profile.objects.get(pk=anna.pk).erased_at is None
    assert client.post(page, {"reason": "request", "confirm": "ERASE"}).status_code == 302
    assert Profile.objects.get(pk=anna.pk).erased_at is not None
    assert state_of(anna, purpose("other")) == ""
    assert client_as("Marketer").get(page).status_code == 403
