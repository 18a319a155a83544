"""A permission without contact ends: as a record, in the gate at once, and never against what a person just did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from cdp.common.errors import CdpError
from cdp.common.models import RetentionRun
from cdp.common.retention import Position, retention
from consent.gate import check
from consent.models import ConsentRecord, ExpiryForecast, LedgerCheck, Purpose
from consent.services.expiry import expire_permissions
from consent.services.purposes import update_purpose
from consent.services.verifying import verified_upto, verify_ledger
from profiles.models import Profile
from tests.consent.factories import identifier, person, purpose, say, state_of
from tests.queues.running import run_scheduled

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def expire(limit: int = 2) -> int:
    """End what is due, in small batches, as the nightly run does; return how many records that made."""
    ended = 0
    position: Position = {}
    while True:
        step = expire_permissions(NOW, limit, position)
        ended += step.removed
        if step.position is None:
            return ended
        position = step.position


def reader(of: Purpose, *, said: int, seen: int, channel: str = "email") -> Profile:
    """Make somebody who agreed and was last seen so many days ago."""
    one = person()
    say(one, of, "given", occurred_at=NOW - timedelta(days=said), channel=channel)
    Profile.objects.filter(pk=one.pk).update(last_seen_at=NOW - timedelta(days=seen))
    return one


def may(one: Profile, of: Purpose) -> tuple[bool, str]:
    """Ask the gate."""
    decision = check(profile_ids=[one.pk], purpose_id=of.pk, channel="email")[one.pk]
    return decision.allowed, decision.reason


def test_a_permission_without_contact_becomes_an_expired_record_and_the_gate_says_no_at_once() -> None:
    news = purpose(retention_days=365)
    silent, active, fresh = (
        reader(news, said=400, seen=390),
        reader(news, said=400, seen=5),
        reader(news, said=5, seen=5),
    )
    assert may(silent, news) == (True, "")
    assert expire() == 1
    assert [state_of(one, news) for one in (silent, active, fresh)] == ["expired", "given", "given"]
    assert may(silent, news) == (False, "no_consent") and may(active, news) == (True, "")
    given, expired = ConsentRecord.objects.filter(profile_id=silent.pk).order_by("pk")
    assert (expired.method, expired.actor, expired.reference) == ("rule", "system:retention", "retention:365")
    assert (expired.because_id, expired.identifier_id) == (given.pk, given.identifier_id)
    assert expired.occurred_at == NOW - timedelta(days=390 - 365)
    assert expired.proof == "none" and not verify_ledger()
    assert expire() == 0


def test_the_nightly_run_does_it() -> None:
    news = purpose(retention_days=365)
    silent = reader(news, said=400, seen=400)
    run_scheduled("cdp.run_retention")
    assert state_of(silent, news) == "expired"
    assert RetentionRun.objects.get(name="permissions").removed == 1


def test_without_a_period_nothing_ends() -> None:
    news = purpose()
    silent = reader(news, said=4000, seen=4000)
    assert expire() == 0 and state_of(silent, news) == "given"


def test_every_channel_and_every_purpose_has_its_turn() -> None:
    short, long = purpose("short", retention_days=100, channels=["email", "phone"]), purpose("long", retention_days=900)
    people = [reader(short, said=200, seen=200, channel=channel) for channel in ("email", "phone") * 3]
    kept = reader(long, said=200, seen=200)
    gone = reader(long, said=1000, seen=950)
    assert expire() == 7
    assert {state_of(one, short, "email") or state_of(one, short, "phone") for one in people} == {"expired"}
    assert (state_of(kept, long), state_of(gone, long)) == ("given", "expired")


def test_saying_yes_again_counts_and_a_late_yes_from_before_does_not() -> None:
    news = purpose(retention_days=365)
    again, late = reader(news, said=400, seen=400), reader(news, said=500, seen=500)
    expire()
    say(again, news, "given")
    say(late, news, "given", occurred_at=NOW - timedelta(days=450))
    assert (state_of(again, news), state_of(late, news)) == ("given", "expired")


def test_a_no_is_never_softened() -> None:
    news = purpose(retention_days=365)
    objector = reader(news, said=400, seen=400)
    say(objector, news, "objected")
    assert expire() == 0 and state_of(objector, news) == "objected"


def test_it_speaks_for_the_subject_that_agreed() -> None:
    news = purpose(retention_days=365)
    silent = reader(news, said=400, seen=400)
    phone = identifier(silent, "phone", "+31612345678")
    expire()
    subjects = set(ConsentRecord.objects.filter(profile_id=silent.pk).values_list("identifier_id", flat=True))
    assert len(subjects) == 1 and phone.pk not in subjects


def test_the_page_of_a_purpose_tells_how_many_end_soon(client_as: Callable[[str], Client]) -> None:
    news = purpose(retention_days=365)
    reader(news, said=400, seen=400)
    for seen in (340, 350, 364, 300):
        reader(news, said=400, seen=seen)
    page = client_as("Privacy officer").get(f"/privacy/purposes/{news.slug}/")
    assert b"counted in the coming night" in page.content
    expire()
    assert ExpiryForecast.objects.get().ending_soon == 3
    page = client_as("Privacy officer").get(f"/privacy/purposes/{news.slug}/")
    assert b"3 permissions end in the next 30 days" in page.content
    page = client_as("Privacy officer").get(f"/privacy/purposes/{news.slug}/ending/")
    assert len(page.context["rows"]) == 3 and page.context["following"] is None
    assert client_as("Marketer").get(f"/privacy/purposes/{news.slug}/ending/").status_code == 403
    update_purpose(purpose_id=news.pk, changes={"retention_days": 300})
    assert not ExpiryForecast.objects.exists()


def test_a_shorter_period_shows_first_how_many_permissions_it_ends(client_as: Callable[[str], Client]) -> None:
    news = purpose(retention_days=365)
    silent, active = reader(news, said=300, seen=200), reader(news, said=300, seen=20)
    officer, address = client_as("Privacy officer"), f"/privacy/purposes/{news.slug}/"
    form = {"name": news.name, "channels": ["email"], "basis": "consent", "is_marketing": "on", "active": "on"}
    answer = officer.post(address, {**form, "retention_days": "100"})
    assert answer.status_code == 302 and "/change/" in answer.headers["Location"]
    page = officer.get(answer.headers["Location"])
    assert page.context["ending"] == 1 and b"ends in the coming night" in page.content
    news.refresh_from_db()
    assert news.retention_days == 365
    officer.post(answer.headers["Location"])
    news.refresh_from_db()
    assert news.retention_days == 100 and state_of(silent, news) == "given"
    assert expire() == 1
    assert (state_of(silent, news), state_of(active, news)) == ("expired", "given")


def test_old_verifications_go_but_the_last_clean_one_stays() -> None:
    say(person(), purpose(), "given")
    for _time in range(3):
        verify_ledger()
    found = LedgerCheck.objects.create(
        whole=False, from_id=1, to_id=1, problem_count=1, requested_by="x", finished_at=NOW, problems=[{"code": "x"}]
    )
    LedgerCheck.objects.update(requested_at=NOW - timedelta(days=500))
    upto = verified_upto()
    checks = retention.get("ledger_checks")
    assert checks.survey(NOW - timedelta(days=400)).waiting == 2
    assert checks.remove(NOW - timedelta(days=400), 10, {}).removed == 2
    assert verified_upto() == upto > 0
    assert set(LedgerCheck.objects.values_list("pk", flat=True)) > {found.pk}


@pytest.mark.parametrize("days", [0, 29, 3651, 2_147_483_647])
def test_a_period_that_would_end_everything_or_nothing_is_refused(days: int) -> None:
    news = purpose()
    with pytest.raises(CdpError, match="from 30 to 3650"):
        update_purpose(purpose_id=news.pk, changes={"retention_days": days})
