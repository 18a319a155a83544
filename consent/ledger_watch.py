"""When the ledger is verified, and what health says about it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from cdp.common.models import DeadLetter
from cdp.common.queues import Run
from consent.models import ConsentRecord, LedgerCheck
from consent.services.sealing import seal_ledger
from consent.services.verifying import request_check, run_check

logger = logging.getLogger(__name__)

#: what is new is sealed and verified this often, the whole ledger this often
NEW_EVERY, WHOLE_EVERY = timedelta(hours=1), timedelta(days=7)
#: and health turns red when it did not happen for so long
NEW_LATE, WHOLE_LATE = timedelta(hours=3), timedelta(days=14)


def work_checks(run: Run) -> int:
    """Ask for the verifications that are due, and go on with those that wait; return how many were worked at."""
    plan_checks()
    worked = 0
    for check in LedgerCheck.objects.filter(finished_at=None).order_by("whole", "pk"):
        worked += 1
        run_check(check, goes_on=lambda: run.goes_on)
        for problem in check.problems[:20] if check.finished_at else ():
            logger.error("consent ledger: %s: %s", problem["place"], problem["message"])
    return worked


def plan_checks() -> None:
    """Seal and ask for what is due by time."""
    if not ConsentRecord.objects.exists():
        return
    now = timezone.now()
    if _asked_before(now - NEW_EVERY, whole=False):
        try:
            seal_ledger()
        except OperationalError:
            logger.warning("the ledger was busy; it is sealed at the next beat")
            return
        request_check(whole=False, actor="system:clock")
    if _asked_before(now - WHOLE_EVERY, whole=True):
        request_check(whole=True, actor="system:clock")


def _asked_before(moment: datetime, *, whole: bool) -> bool:
    last = LedgerCheck.objects.filter(whole=whole).order_by("-pk").values_list("requested_at", flat=True).first()
    return last is None or last < moment


def measure() -> tuple[int, float | None]:
    """Return how many verifications wait or are under way, and for how long the first has."""
    asked = list(LedgerCheck.objects.filter(finished_at=None).order_by("pk").values_list("requested_at", flat=True))
    return len(asked), (timezone.now() - asked[0]).total_seconds() if asked else None


def retry(_letter: DeadLetter) -> None:
    """Do nothing: a verification never becomes a dead letter, it is asked for again by time."""


@dataclass(frozen=True)
class LedgerState:
    """What is known of the ledger: when it was verified, up to where, and what was found."""

    empty: bool
    new_at: datetime | None  # when everything up to `upto` was last found whole, by looking at what was new
    whole_at: datetime | None  # when the whole of it was
    upto: int
    failed: LedgerCheck | None  # the verification that found something, until the whole was found in order afterwards

    @property
    def verified(self) -> bool:
        """Tell whether it may be called whole: verified lately, and nothing found."""
        now = timezone.now()
        lately = self.new_at is not None and self.new_at > now - NEW_LATE
        wholly = self.whole_at is not None and self.whole_at > now - WHOLE_LATE
        return self.failed is None and (self.empty or (lately and wholly))


def ledger_state() -> LedgerState:
    """Read it."""
    clean = LedgerCheck.objects.filter(problem_count=0).exclude(finished_at=None).order_by("-finished_at")
    last, whole = clean.first(), clean.filter(whole=True).first()
    failed = LedgerCheck.objects.filter(problem_count__gt=0)
    if whole is not None:
        failed = failed.filter(requested_at__gt=whole.requested_at)
    return LedgerState(
        empty=not ConsentRecord.objects.exists(),
        new_at=last.finished_at if last is not None else None,
        whole_at=whole.finished_at if whole is not None else None,
        upto=max((check.to_id for check in (last, whole) if check is not None), default=0),
        failed=failed.order_by("-pk").first(),
    )


def ledger_health() -> tuple[bool, str, str]:
    """Tell how long ago the ledger was verified and what was found (ok, found, how to fix it)."""
    state = ledger_state()
    if state.failed is not None:
        first = state.failed.problems[0]
        found = _("%(count)s places were altered; first %(place)s: %(message)s") % {
            "count": state.failed.problem_count,
            "place": first["place"],
            "message": first["message"],
        }
        return False, found, _("See the privacy desk, and compare with a backup: manage.py verify_ledger")
    if state.empty:
        return True, _("nothing is recorded yet"), ""
    words = {
        "new": _ago(state.new_at),
        "record": state.upto,
        "whole": _ago(state.whole_at),
    }
    found = _("verified up to record %(record)s %(new)s; the whole of it %(whole)s") % words
    return state.verified, found, _("Let a worker run %(task)s.") % {"task": "consent.verify_ledger"}


def _ago(moment: datetime | None) -> str:
    return _("never") if moment is None else _("%(age)s ago") % {"age": timesince(moment)}
