"""What beat wakes."""

from __future__ import annotations

import pytest

from consent.models import ConsentState, LedgerSeal
from consent.services.sealing import ledger_health
from consent.tasks import seal
from profiles.models import Profile
from tests.consent.factories import person, purpose, say

pytestmark = pytest.mark.django_db


def test_daily_task_seals_and_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal appears, verified; states of people who are no more are gone; the health line is green."""
    anna, gone, newsletter = person(), person(), purpose()
    say(anna, newsletter, "given")
    say(gone, newsletter, "given")
    gone.identifiers.all().delete()
    Profile.objects.filter(pk=gone.pk).delete()
    monkeypatch.setattr("consent.tasks.connection.close", lambda: None)  # the test's own connection stays
    seal()
    row = LedgerSeal.objects.get()
    assert (row.count, row.problem) == (2, "")
    assert row.verified_at is not None
    assert ConsentState.objects.get().profile_id == anna.pk
    assert ledger_health()[0]
