"""What a column of a contact file may be brought into, beside identifiers and traits.

Higher apps register a provider in their AppConfig.ready(). A provider is called each time targets are listed, so
its targets may follow the rows of a table (a purpose that was just added). Everything works in bulk: a million
rows pass through in blocks of some thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdp.common.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the person who imports says about how the permission was obtained; kept as evidence."""

    source: str  # where: "paper form at the trade fair", "previous mail system"
    obtained_on: str  # ISO date
    wording: str  # the words that the people agreed to


@dataclass(frozen=True, kw_only=True)
class TargetJob:
    """The import on whose behalf a target works. `proof` is None when none was stated."""

    import_id: int
    import_name: str
    actor: Any  # the user who confirmed the import
    proof: Proof | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """A cell with its person. In the dry run people who are yet to be created have no ids."""

    line: int
    value: Any  # as normalised by the target's check
    profile_id: int | None
    identifier_id: int | None  # of the identifier that matched
    identifiers: tuple[tuple[str, str], ...] = ()  # all (kind, value) of the row


@dataclass(kw_only=True)
class TargetOutcome:
    """How many cells did what (`raised`, `lowered`, `unchanged`, `refused`), and which lines were refused and why.

    A refused cell does not stop the rest of its row.
    """

    counts: dict[str, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)  # line -> stable code


@dataclass(frozen=True, kw_only=True)
class ImportTarget:
    """A place that a column can go to.

    check(text) -> (normalised, error code or ""): pure, called for each cell that is not empty.
    plan(rows, job): what apply would do; writes nothing; called in the dry run.
    apply(rows, job): write, inside the caller's transaction, once per block; a block is never applied twice.
    lowers(value): does the cell take something away (a permission)? Such a cell is applied even when its row is
    refused; pure.
    accepts_proof: the wizard asks for a Proof when a column goes here.
    """

    name: str  # stable: "consent:newsletter:email"; kept in remembered mappings
    label: Any
    group: Any
    help: Any = ""
    check: Callable[[str], tuple[Any, str]]
    plan: Callable[[Sequence[TargetRow], TargetJob], TargetOutcome]
    apply: Callable[[Sequence[TargetRow], TargetJob], TargetOutcome]
    lowers: Callable[[Any], bool] = lambda _value: False
    accepts_proof: bool = False
    count_labels: Mapping[str, Any] = field(default_factory=dict)  # count word -> label shown
    header_guesses: Sequence[str] = ()  # header words, lower case, that suggest this target


#: name of the app's part -> function() -> its targets of this moment
import_targets: Registry[Callable[[], Sequence[ImportTarget]]] = Registry("import target provider")


@dataclass(frozen=True, kw_only=True)
class UndoStep:
    """What a step of an undo took back."""

    people: set[int]  # of whom something was taken back; over all steps each person stands in one
    counts: Mapping[str, int]  # by word
    next: int | None  # where the next step begins; None when all is taken back


@dataclass(frozen=True, kw_only=True)
class Undoer:
    """Takes back what an app's targets wrote, whatever became of the rows and targets meanwhile.

    undo(import_id, actor, after, limit): take the next `limit` things back, in the caller's transaction, before people
    are touched. The first step begins after 0.
    """

    undo: Callable[[int, Any, int, int], UndoStep]
    count_labels: Mapping[str, Any] = field(default_factory=dict)


#: name of the app's part -> how what it wrote is taken back
undoers: Registry[Undoer] = Registry("undoer of imports")


def all_targets() -> dict[str, ImportTarget]:
    """Return every registered target by name, in the order of registration."""
    return {target.name: target for provider in import_targets for target in provider()}
