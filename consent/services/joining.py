"""When people are joined the strictest answer wins, and the ledger says why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from consent.models import Purpose
from consent.policy.states import Lowering, lowerings
from consent.services.entries import ConsentEntry
from consent.services.recording import record_consents
from consent.services.states import History, histories
from profiles.changes import IdentifierMove


def keep_strictest(moves: Sequence[IdentifierMove]) -> list[int]:
    """Repeat the strictest statements of people who became one; return the ids of the records.

    Each is repeated on the subject that made it. So when the join is undone, that subject still says no and the
    others say what they said: both people have the answers of before, with nothing to take back.
    """
    came_from: dict[int, dict[int, int]] = defaultdict(dict)  # person -> {identifier: person before}
    for move in moves:
        if not move.undo and move.from_profile_id != move.to_profile_id:
            came_from[move.to_profile_id].setdefault(move.identifier_id, move.from_profile_id)
    if not came_from:
        return []
    marketing = frozenset(Purpose.objects.filter(is_marketing=True).values_list("pk", flat=True))
    entries = []
    for profile_id, history in histories(came_from.keys()).items():
        groups = _parts(history, came_from[profile_id], profile_id)
        entries += [_entry(profile_id, lowering) for lowering in lowerings(groups, marketing=marketing)]
    return record_consents(entries, tell=False)


def _parts(history: History, came_from: dict[int, int], profile_id: int) -> list[History]:
    """Part what one person now says by who said it before the join."""
    parts: dict[int, History] = defaultdict(lambda: defaultdict(list))
    for key, statements in history.items():
        for statement in statements:
            parts[came_from.get(statement.subject, profile_id)][key].append(statement)
    return [parts[before] for before in sorted(parts)]


def _entry(profile_id: int, lowering: Lowering) -> ConsentEntry:
    return ConsentEntry(
        profile_id=profile_id,
        identifier_id=lowering.because.subject,
        purpose_id=lowering.purpose,
        channel=lowering.channel,
        state=lowering.because.state,
        method="merge",
        actor="system:join",
        occurred_at=lowering.because.occurred_at,
        reference=f"record:{lowering.because.record_id}",
        because_id=lowering.because.record_id,
    )
