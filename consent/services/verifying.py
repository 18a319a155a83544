"""Verify the ledger: what is new every hour, the whole of it every week and whenever somebody asks.

A verification goes in steps of bounded size, in constant memory; each step that is saved need not be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import DataError, OperationalError, connection, transaction
from django.utils import timezone

from cdp.common.arrays import numbers
from cdp.common.wake import wake
from consent.models import ConsentRecord, ConsentState, ConsentText, LedgerCheck, LedgerSeal, Purpose, PurposeVersion
from consent.policy.canonical import text_digest
from consent.policy.chain import Problem
from consent.policy.states import Statement
from consent.policy.verification import Digests, Entry, check_range
from consent.services.entries import actor_label
from consent.services.ledger_rows import BLOCK, load_digests, read_block, seals_from
from consent.services.sealing import seal_ledger
from consent.services.states import derive
from consent.services.versions import digest_of_version
from profiles.resolution.rows import lock_profiles

TASK = "consent.verify_ledger"
#: more problems than this are counted, not listed
LISTED = 200
_HEADS_BLOCK = 20_000
Phase = LedgerCheck.Phase


@transaction.atomic
def request_check(*, whole: bool, actor: Any) -> LedgerCheck:
    """Ask for a verification in the background; one that is under way already is returned instead."""
    newest = ConsentRecord.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    sealed = LedgerSeal.objects.order_by("-pk").values_list("to_id", flat=True).first() or 0
    start = 1 if whole else verified_upto() + 1
    check, _made = LedgerCheck.objects.get_or_create(
        whole=whole,
        finished_at=None,
        defaults={
            "from_id": start,
            "to_id": newest if whole else sealed,
            "cursor": start - 1,
            "requested_by": actor_label(actor),
        },
    )
    wake(TASK)
    return check


def verified_upto() -> int:
    """Return the last record up to which everything was found whole."""
    clean = LedgerCheck.objects.filter(phase=Phase.DONE, problem_count=0).order_by("-to_id")
    return clean.values_list("to_id", flat=True).first() or 0


def verify_ledger() -> list[Problem]:
    """Verify the whole ledger now and return what is wrong, the first of it."""
    with suppress(OperationalError):  # busy: what is not sealed is looked at too, but for its seal
        seal_ledger()
    check = request_check(whole=True, actor="system:command")
    run_check(check)
    return [Problem(**item) for item in check.problems]


def run_check(check: LedgerCheck, *, goes_on: Callable[[], bool] = lambda: True) -> bool:
    """Go on with a verification for as long as `goes_on` says so; return whether it is done."""
    while check.phase != Phase.DONE and goes_on():
        advance(check)
    return check.phase == Phase.DONE


def advance(check: LedgerCheck) -> None:
    """Do one step and save it; if another worker did the same step meanwhile, follow that one."""
    phase, cursor = check.phase, check.cursor
    step = {Phase.RECORDS: _check_records, Phase.HEADS: _check_heads, Phase.STATES: _check_states}[Phase(phase)]
    found = list(step(check))
    check.problem_count += len(found)
    check.problems = [*check.problems, *map(_plain, found)][:LISTED]
    check.started_at = check.started_at or timezone.now()
    if check.phase == Phase.DONE:
        check.finished_at = timezone.now()
    kept = LedgerCheck.objects.filter(pk=check.pk, phase=phase, cursor=cursor).update(
        phase=check.phase,
        cursor=check.cursor,
        records=check.records,
        problem_count=check.problem_count,
        problems=check.problems,
        started_at=check.started_at,
        finished_at=check.finished_at,
    )
    if not kept:
        check.refresh_from_db()


def _plain(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "place": problem.place, "message": problem.message}


# Records, with their evidence and seals ----------------------------------------------------------------------------
def _check_records(check: LedgerCheck) -> Iterator[Problem]:
    """Look at the records of the next seal, or at the next block of those that no seal covers."""
    digests = load_digests()
    if check.cursor == check.from_id - 1:
        yield from _check_texts()
        yield from _check_versions()
    seal, before = next(seals_from(check.cursor + 1), (None, None))
    if seal is not None and seal.from_id <= check.to_id:
        # A verification may begin within a seal that was made later: the seal is looked at as a whole.
        walk = _Walk(min(check.cursor, seal.from_id - 1), seal.to_id, digests)
        yield from check_range(walk, digests, seal=seal, before=before)
    else:
        walk = _Walk(check.cursor, check.to_id, digests, blocks=1)
        yield from check_range(walk, digests, seal=None, before=None)
    yield from walk.problems
    if not check.whole:  # a whole verification looks at everybody's answers afterwards
        yield from _differing_states(_people_of(walk.subjects))
    check.cursor, check.records = walk.last, check.records + walk.count
    if check.cursor >= check.to_id:
        check.phase, check.cursor = Phase.HEADS, 0


class _Walk:
    """The records after one id and up to another, block by block; remembers how far it came."""

    def __init__(self, after: int, upto: int, digests: Digests, *, blocks: int | None = None) -> None:
        self.last, self.upto, self.digests, self.blocks = after, max(after, upto), digests, blocks
        self.problems: list[Problem] = []
        self.subjects: set[int] = set()
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        done = 0
        while self.last < self.upto and (self.blocks is None or done < self.blocks):
            entries, problems, self.last = read_block(self.last, self.upto, self.digests)
            self.problems += problems
            for entry in entries:
                self.subjects.add(entry.link.subject)
                yield entry
            self.count += len(entries)
            done += 1


def _check_texts() -> Iterator[Problem]:
    for text in ConsentText.objects.iterator():
        if text_digest(text.text) != text.digest:
            yield Problem("words", f"text {text.pk}", f"the words of {text} were altered")


def _check_versions() -> Iterator[Problem]:
    for version in PurposeVersion.objects.iterator():
        if digest_of_version(version) != version.digest:
            yield Problem("terms", f"version {version.pk}", f"the terms of {version} were altered")
    for purpose in Purpose.objects.select_related("current"):
        if purpose.current is None or purpose.term_values() != purpose.current.term_values():
            yield Problem("terms", f"purpose {purpose.pk}", f"{purpose} is not what its last version lays down")


# The ends of the chains --------------------------------------------------------------------------------------------
_HEADS = """
SELECT c.identifier_id, c.position, r.id IS NULL FROM (
    SELECT identifier_id, position, head FROM consent_consentchain
    WHERE identifier_id > %s AND position > 0 AND record_id >= %s ORDER BY identifier_id LIMIT %s
) c LEFT JOIN consent_consentrecord r
    ON r.identifier_id = c.identifier_id AND r.position = c.position AND r.hash = c.head
ORDER BY c.identifier_id
"""


def _check_heads(check: LedgerCheck) -> Iterator[Problem]:
    """Look whether the last record of each chain is there; of those that grew, when only what is new is looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, [check.cursor, 0 if check.whole else check.from_id, _HEADS_BLOCK])
        rows = cursor.fetchall()
    for subject, position, lost in rows:
        if lost:
            yield Problem("head", f"subject {subject}", f"the chain does not end at position {position} as it should")
    if len(rows) == _HEADS_BLOCK:
        check.cursor = rows[-1][0]
    else:
        check.phase, check.cursor = (Phase.STATES if check.whole else Phase.DONE), 0


# The answers that hold ---------------------------------------------------------------------------------------------
_PEOPLE = """
SELECT DISTINCT profile_id FROM (
    (SELECT s.profile_id FROM consent_consentstate s WHERE s.profile_id > %s ORDER BY 1 LIMIT %s)
    UNION ALL
    (SELECT i.profile_id FROM profiles_identifier i JOIN consent_consentchain c ON c.identifier_id = i.id
     WHERE i.profile_id > %s ORDER BY 1 LIMIT %s)
) x ORDER BY 1 LIMIT %s
"""


def _check_states(check: LedgerCheck) -> Iterator[Problem]:
    """Look at the answers of the next people who have any, or whose chains say something."""
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [check.cursor, BLOCK, check.cursor, BLOCK, BLOCK])
        people = [row[0] for row in cursor.fetchall()]
    yield from _differing_states(people)
    if len(people) == BLOCK:
        check.cursor = people[-1]
    else:
        check.phase, check.cursor = Phase.DONE, 0


def _people_of(subjects: Collection[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT profile_id FROM profiles_identifier WHERE id = ANY(%s::bigint[])",
            [numbers(sorted(subjects))],
        )
        return sorted(row[0] for row in cursor.fetchall())


def _differing_states(people: list[int]) -> Iterator[Problem]:
    """Compare what is kept with what the ledger gives; who differs is looked at again while writers wait."""
    suspects: set[int] = set()
    for start in range(0, len(people), BLOCK):
        found, problems = _differences(people[start : start + BLOCK])
        suspects |= {profile_id for profile_id, _purpose, _channel in found}
        yield from problems
    if suspects:
        with transaction.atomic():
            lock_profiles(suspects)
            found, _problems = _differences(sorted(suspects))
        for profile_id, purpose_id, channel in found:
            topic = f"purpose {purpose_id} by {channel}"
            yield Problem("state", f"person {profile_id}", f"the answer kept for {topic} is not the ledger's")


def _differences(people: list[int]) -> tuple[list[tuple[int, int, str]], list[Problem]]:
    """Return (person, purpose, channel) of the answers that differ, and the people whose records cannot be read."""
    try:
        wanted = {key: _answer(item) for key, item in derive(people).items()}
    except (DataError, ValueError):
        if len(people) == 1:
            return [], [Problem("unreadable", f"person {people[0]}", "said something that cannot be read")]
        middle = len(people) // 2
        halves = _differences(people[:middle]), _differences(people[middle:])
        return [*halves[0][0], *halves[1][0]], [*halves[0][1], *halves[1][1]]
    kept = {
        (row.profile_id, row.purpose_id, row.channel): (row.record_id, row.state, row.proof, row.since, row.recorded_at)
        for row in ConsentState.objects.filter(profile_id__in=people)
    }
    return sorted(key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)), []


def _answer(item: Statement) -> tuple[int, str, str, datetime, datetime]:
    return item.record_id, item.state, item.proof, item.occurred_at, item.recorded_at
