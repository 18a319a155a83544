"""From what was said to what holds: the fold over records. Plain Python.

1. Records count in the order in which they were recorded, over all subjects that now are one person.
2. Lowering (refused, withdrawn, objected, expired) always counts, however late it is heard of.
3. Raising (given) counts only when it was said after the lowering that holds: a replayed or delayed sign-up does not
   undo a withdrawal.
   A yes does not take the place of one that is better proven.
4. An objection is lifted only by a `given` with a proof, seen or claimed.

5. A soft opt-in stands where nothing was said or all has expired: it takes the place of no yes and of no no.
6. What was invalidated (an import that was undone) never was said, nor what followed from it.

Proof has three grades. *Seen*: our own page took the answer from the person. *Claimed*: a token, a file, a trusted
source or an officer says so, and names the words or the document. *None*: nothing was named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

GIVEN, REFUSED, WITHDRAWN, OBJECTED, EXPIRED = "given", "refused", "withdrawn", "objected", "expired"
#: bought from us and was offered the refusal (consent.policy.soft_opt_in): no yes, and allows only where that is enough
SOFT_OPT_IN = "soft_opt_in"
STATES = (GIVEN, SOFT_OPT_IN, REFUSED, WITHDRAWN, OBJECTED, EXPIRED)
#: says of another statement that it does not count; never an answer itself
INVALIDATED = "invalidated"
SEEN, CLAIMED, UNPROVEN = "seen", "claimed", "none"
PROOFS = (UNPROVEN, CLAIMED, SEEN)
_RANK = {proof: rank for rank, proof in enumerate(PROOFS)}
#: the higher, the more it forbids
RESTRICTIVENESS = {GIVEN: 0, SOFT_OPT_IN: 0, EXPIRED: 1, REFUSED: 2, WITHDRAWN: 3, OBJECTED: 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A record, as far as the fold needs it."""

    record_id: int
    subject: int
    state: str
    proof: str
    occurred_at: datetime
    recorded_at: datetime
    because: int | None = None  # the statement that it follows from, or invalidates

    @property
    def proven(self) -> bool:
        """Tell whether any proof is known."""
        return self.proof != UNPROVEN


def fold(statements: Iterable[Statement]) -> Statement | None:
    """Return the statement that holds for one purpose and channel; None when nothing was ever said."""
    said = valid(statements)
    if len(said) == 1 and said[0].state in STATES:  # as with nearly everybody
        return said[0]
    holding: Statement | None = None
    for statement in sorted(said, key=lambda item: (item.recorded_at, item.record_id)):
        if holding is None or counts_after(holding, statement):
            holding = statement
    return holding


def valid(statements: Iterable[Statement]) -> list[Statement]:
    """Return the statements that count: without those that were invalidated, and what followed from them."""
    said = list(statements)
    gone = {item.because for item in said if item.state == INVALIDATED}
    if not gone:
        return said
    kept = []
    for item in sorted(said, key=lambda item: item.record_id):  # what follows has the higher id
        if item.state == INVALIDATED:
            continue
        if item.record_id in gone or (item.because is not None and item.because in gone):
            gone.add(item.record_id)
        else:
            kept.append(item)
    return kept


def counts_after(holding: Statement, later: Statement) -> bool:
    """Tell whether `later` replaces what holds."""
    if later.state not in STATES:
        raise ValueError(f"unknown state {later.state!r}")
    if later.state == SOFT_OPT_IN:
        return holding.state in (SOFT_OPT_IN, EXPIRED) and later.occurred_at >= holding.occurred_at
    if later.state == GIVEN and holding.state == SOFT_OPT_IN:
        return True
    if later.state == GIVEN and holding.state != GIVEN:
        if later.occurred_at < holding.occurred_at:
            return False
        return holding.state != OBJECTED or later.proven
    if later.state == GIVEN:
        return _RANK[later.proof] >= _RANK[holding.proof]  # a lesser proof does not take a better one away
    # A lesser no does not soften an objection: only a yes ends it.
    return holding.state != OBJECTED or later.state == OBJECTED


def overrides_objection(permission: Statement | None, objection: Statement) -> bool:
    """Tell whether a permission was given, by the person or with proof, after an objection to any direct marketing."""
    return (
        permission is not None
        and permission.state == GIVEN
        and permission.proven
        and (permission.recorded_at, permission.record_id) > (objection.recorded_at, objection.record_id)
        and permission.occurred_at >= objection.occurred_at
    )


@dataclass(frozen=True, slots=True)
class Lowering:
    """A statement to repeat on its own subject, so that it also holds after people were joined."""

    purpose: int
    channel: str
    because: Statement


def lowerings(
    groups: Iterable[Mapping[tuple[int, str], list[Statement]]], *, marketing: frozenset[int]
) -> list[Lowering]:
    """Return what a join must repeat for the most restrictive answer to win.

    `groups` are the statements of each person before the join, by (purpose, channel). The statement is repeated on
    the subject that made it: when the people are parted again, each has exactly the answers of before.
    """
    parts = list(groups)
    found: list[Lowering] = []
    for key in sorted({key for part in parts for key in part}):
        before = [holding for part in parts if (holding := fold(part.get(key, ()))) is not None]
        after = fold(statement for part in parts for statement in part.get(key, ()))
        strictest = max(before, key=lambda item: (RESTRICTIVENESS[item.state], item.recorded_at, item.record_id))
        if after is None:
            continue
        lowered = RESTRICTIVENESS[strictest.state] > RESTRICTIVENESS[after.state]
        objection_at_risk = strictest.state == OBJECTED and key[0] in marketing and len(parts) > 1
        if lowered or (objection_at_risk and _given_elsewhere(parts, strictest, marketing)):
            found.append(Lowering(key[0], key[1], strictest))
    return found


def _given_elsewhere(
    parts: list[Mapping[tuple[int, str], list[Statement]]], objection: Statement, marketing: frozenset[int]
) -> bool:
    """Tell whether another of the people gave a permission that would override the objection of this one."""
    for part in parts:
        if any(statement.record_id == objection.record_id for rows in part.values() for statement in rows):
            continue
        for (purpose, _channel), rows in part.items():
            if purpose in marketing and overrides_objection(fold(rows), objection):
                return True
    return False


#: ways of which somebody else tells that the person used them: a claim, unless our own page took the answer
PERSONAL_METHODS = frozenset({"form", "double_opt_in", "preferences", "one_click", "unsubscribe"})
#: ways in which nobody speaks: a rule of ours
SILENT_METHODS = frozenset({"merge", "rule", "import_undone"})


def proof_of(*, method: str, seen: bool, has_words: bool, has_proof: bool) -> str:
    """Return the grade of proof. `seen` is stated by the page of ours that took the answer, and by nobody else."""
    if method in SILENT_METHODS:
        return UNPROVEN
    if seen:
        return SEEN
    return CLAIMED if method in PERSONAL_METHODS or has_words or has_proof else UNPROVEN
