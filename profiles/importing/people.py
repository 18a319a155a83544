"""Bring a block of checked rows to people, by the one way that all writers of people take.

What a row says stands under the identifier it was matched by, so merges, unmerges and the order of arrival treat
imported values like any other. The caller holds the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdp.common.faults import Race
from cdp.common.reasons import Params
from profiles.changes import Change
from profiles.identity.graph import Kind
from profiles.identity.person import PersonRow
from profiles.identity.traits import Assertions, assert_traits, slot_of, stamp
from profiles.resolution import people
from profiles.resolution.resolve import Observation, Resolved, resolve
from profiles.resolution.rows import IdentifierRow, Pair, find_identifiers, lock_profiles
from profiles.resolution.write import ConcurrentUpdate


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Who says it, and when: the same moment for all rows of an import."""

    import_id: int
    source_id: int
    at: datetime

    @property
    def cause(self) -> str:
        """Return the cause that values and their history carry."""
        return f"import:{self.import_id}"

    @property
    def slot(self) -> str:
        """Return where this import's words stand."""
        return slot_of(self.source_id, trusted=True, import_id=self.import_id)

    def tie(self, line: int) -> str:
        """Return what tells the links and words of a row from those of others."""
        return f"{self.cause}:{line}"


@dataclass(slots=True)
class FileRow:
    """A row on its way to a person; what happened to it is filled in."""

    line: int
    data: dict[str, Any]
    outcome: str  # as the dry run had it; then what it became
    profile_id: int | None = None
    identifier_id: int | None = None
    reason: str = ""
    params: Params | None = None
    changes: dict[str, list[Any]] = field(default_factory=dict)  # {trait: [old, new]}
    before: dict[str, Any] = field(default_factory=dict)  # what an undo puts back, see `_before`
    pairs: tuple[Pair, ...] = ()  # the identifiers, the matching one first

    def __post_init__(self) -> None:
        """Read the identifiers."""
        self.pairs = tuple([(kind, value) for kind, value in self.data["i"]])


def write_rows(rows: Sequence[FileRow], said: Provenance, kinds: Mapping[str, Kind]) -> tuple[list[FileRow], Change]:
    """Make and update people; return (the rows that came through, the change to announce).

    A row that names somebody else's identifier is rejected: a file merges nobody. Raises Race when somebody was faster.
    """
    found = find_identifiers({pair for row in rows for pair in row.pairs})
    profile_ids = {item.profile_id for item in found.values()}
    lock_profiles(profile_ids)
    known = people.load_rows(profile_ids)
    live = []
    for row in rows:
        match = found.get(row.pairs[0])
        problem = _problem(row, match, found, known)
        if problem:
            row.outcome, row.reason, row.params = problem
            row.profile_id = None
        else:
            live.append(row)
    observed = [_observation(row, row.pairs[0] in found, said) for row in live]
    assertions = _assertions(live, found, known, said)
    try:
        resolved = resolve(observed, kinds, assertions=assertions, known=found, asked=True)
    except ConcurrentUpdate as error:
        raise Race("an identifier came to be, or went to another person, since the look-up") from error
    written = people.write(resolved, assertions, at=said.at)
    for row in live:
        _note_outcome(row, resolved, written, assertions, said)
    created = set(resolved.created_profile_ids)
    change = Change(profile_ids=written.profile_ids, cause="import", moved=resolved.moves, created_profile_ids=created)
    return live, change


def _problem(
    row: FileRow, match: IdentifierRow | None, found: Mapping[Pair, IdentifierRow], known: Mapping[int, PersonRow]
) -> tuple[str, str, Params | None] | None:
    """Return (outcome, reason, its parameters) when the row may not be written, by what is true now."""
    if match is not None and known[match.profile_id].restricted_at is not None:
        return "skipped", "restricted", None
    for pair in row.pairs[1:]:
        other = found.get(pair)
        if other is not None and (match is None or other.profile_id != match.profile_id):
            return "rejected", "belongs_to_another", {"column": pair[0]}
    return None


def _observation(row: FileRow, is_known: bool, said: Provenance) -> Observation:
    # People to be created have had their number since the dry run, so that it need not be written back.
    reserved = None if is_known or row.outcome != "created" else row.profile_id
    return Observation(row.pairs, said.at, said.tie(row.line), said.source_id, trusted=True, reserved=reserved)


def _assertions(
    rows: Sequence[FileRow],
    found: Mapping[Pair, IdentifierRow],
    known: Mapping[int, PersonRow],
    said: Provenance,
) -> dict[Pair, Assertions]:
    """Return what the rows say: of a known person only what differs, or fills a gap, as the row's rules are."""
    assertions: dict[Pair, Assertions] = {}
    at = stamp(said.at)
    for row in rows:
        data, match = row.data, found.get(row.pairs[0])
        if match is None:
            values = {**data.get("t", {}), **data.get("f", {}), **data.get("n", {})}
        else:
            traits = known[match.profile_id].traits
            values = {name: value for name, value in data.get("t", {}).items() if traits.get(name) != value}
            values |= {name: value for name, value in data.get("f", {}).items() if name not in traits}
        if values:
            tie = said.tie(row.line)
            assertions[row.pairs[0]] = assert_traits(values, slot=said.slot, at=at, tie=tie, cause=said.cause)
    return assertions


def _note_outcome(
    row: FileRow,
    resolved: Resolved,
    written: people.Written,
    assertions: Mapping[Pair, Assertions],
    said: Provenance,
) -> None:
    subject = row.pairs[0]
    identifier = resolved.identifiers[subject]
    row.profile_id, row.identifier_id = identifier.profile_id, identifier.id
    if subject in resolved.new:
        row.outcome = "created"
        return
    diff = written.diffs.get(identifier.profile_id)
    mine = assertions.get(subject, {})
    row.changes = {name: list(change) for name, change in (diff.changes if diff else {}).items() if name in mine}
    for kind, value in row.pairs:
        before = resolved.before.get((kind, value))
        if (kind, value) in resolved.new:
            row.changes[f"id:{kind}"] = [None, value]
        elif before is not None and before.trusted_at is None:
            row.changes[f"trusted:{kind}"] = [None, value]
    row.before = _before(row, resolved, said)
    row.outcome = "updated" if row.changes or mine else "unchanged"


def _before(row: FileRow, resolved: Resolved, said: Provenance) -> dict[str, Any]:
    """Return what the row changed about identity, by the place of the identifier in the row, so that it can be undone.

    `new`: identifiers it brought; `trusted`: {place: since when it was trusted before, null: it was not}; `used`: those
    on which nothing hung; `links`: {place: null (it was new) or [time, tie] of the weak or later link to the match}.
    """
    before: dict[str, Any] = {}
    for place, pair in enumerate(row.pairs):
        there = resolved.before.get(pair)
        if pair in resolved.new:
            before.setdefault("new", []).append(place)
        elif there is not None:
            if there.trusted_at is None or there.trusted_at > said.at:
                moment = there.trusted_at
                before.setdefault("trusted", {})[str(place)] = moment.isoformat() if moment else None
            if place == 0 and not there.in_use:
                before["used"] = [0]
        ends = (row.pairs[0], pair) if row.pairs[0] < pair else (pair, row.pairs[0])
        if place and ends in resolved.links_before:
            link = resolved.links_before[ends]
            before.setdefault("links", {})[str(place)] = (
                None if link is None else [link.at.isoformat(), link.tie, link.weak]
            )
    return before
