"""Make and update many people at once, each for itself: what is wrong with one costs no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp.common.errors import CdpError
from cdp.common.faults import Fault, fault_of, persist
from profiles.identity.normalise import normalise
from profiles.models import Profile, Source
from profiles.rejections import REJECTIONS
from profiles.resolution.rows import Pair
from profiles.services.profiles import PersonOutcome, PersonRow, refusal_text, upsert_people
from profiles.services.traits import checked_traits

MAX_ITEMS = 1_000
MAX_IDENTIFIERS = 20
#: people written in one transaction
BLOCK = 200
FIELDS = frozenset({"identifiers", "traits"})


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of an item: created, updated, unchanged or rejected, then with a code, a sentence and the field."""

    status: str
    profile_id: int | None = None
    code: str = ""
    message: str = ""
    field: str = ""


@dataclass(slots=True)
class _Work:
    """Items on their way, with what became of them."""

    outcomes: list[ItemOutcome | None]
    rows: dict[int, PersonRow] = field(default_factory=dict)


def upsert_bulk(*, items: Sequence[Any], source: Source, cause: str = "api") -> list[ItemOutcome]:
    """Make or update people as decoded JSON says, `{"identifiers": [{"kind", "value"}], "traits"}`; one outcome each.

    Items are `CdpError` where their text could not be read. Later items about a person follow on earlier ones. What was
    written before an error of the server stays: the same call again finds it unchanged.
    """
    work = _Work([None] * len(items))
    for number, item in enumerate(items):
        try:
            work.rows[number] = _row_of(item, source)
        except CdpError as error:
            work.outcomes[number] = ItemOutcome("rejected", None, error.code, str(error.message), error.place)
    for block in _blocks(work.rows):
        _write(block, work, source, cause)
    return [outcome for outcome in work.outcomes if outcome is not None]


def uuids_of(outcomes: Sequence[ItemOutcome]) -> dict[int, str]:
    """Return the public ids of the people that outcomes name."""
    ids = {outcome.profile_id for outcome in outcomes if outcome.profile_id}
    return {pk: str(uuid) for pk, uuid in Profile.objects.filter(pk__in=ids).values_list("pk", "uuid")}


# Reading -----------------------------------------------------------------------------------------------------------
def _row_of(item: Any, source: Source) -> PersonRow:
    if isinstance(item, CdpError):
        raise item
    if not isinstance(item, dict):
        raise CdpError("invalid_value", REJECTIONS.text("not_an_object", {"name": "item"}))
    if unknown := sorted(set(item) - FIELDS):
        raise _invalid("unknown_field", unknown[0][:100])
    traits = item.get("traits", {})
    if not isinstance(traits, dict):
        raise _invalid("invalid_value", "traits")
    return PersonRow(identifiers=_pairs(item.get("identifiers", [])), traits=checked_traits(traits))


def _pairs(given: Any) -> list[Pair]:
    if not isinstance(given, list) or len(given) > MAX_IDENTIFIERS:
        raise _invalid("invalid_value", "identifiers")
    pairs = []
    for number, item in enumerate(given):
        place = f"identifiers[{number}]"
        if not isinstance(item, dict) or not item.keys() <= {"kind", "value"}:
            raise _invalid("invalid_value", place)
        for name, longest in (("kind", 40), ("value", 320)):
            if not isinstance(text := item.get(name), str) or not 1 <= len(text) <= longest:
                raise _invalid("invalid_value", f"{place}.{name}")
        pairs.append((item["kind"], item["value"]))
    return pairs


def _invalid(code: str, place: str) -> CdpError:
    return CdpError(code, refusal_text(code), place=place)


# Writing -----------------------------------------------------------------------------------------------------------
def _blocks(rows: dict[int, PersonRow]) -> list[list[int]]:
    """Cut items into blocks in which nobody is named twice: what became of each can be told only so."""
    blocks: list[list[int]] = []
    named: set[Pair] = set()
    for number, row in rows.items():
        theirs = {(kind, normalise(kind, value)) for kind, value in row.identifiers}
        theirs |= {(kind, normalise(kind, row.traits[kind])) for kind in ("email", "phone") if row.traits.get(kind)}
        if not blocks or len(blocks[-1]) >= BLOCK or not named.isdisjoint(theirs):
            blocks.append([])
            named = set()
        blocks[-1].append(number)
        named |= theirs
    return blocks


def _write(block: list[int], work: _Work, source: Source, cause: str) -> None:
    """Write a block; one that fails is halved until the item stands alone that makes it fail."""
    try:
        found = persist(lambda: upsert_people(rows=[work.rows[number] for number in block], source=source, cause=cause))
    except Exception as error:
        if fault_of(error) is Fault.SERVER:
            raise
        if len(block) == 1:
            work.outcomes[block[0]] = _failed(error)
            return
        middle = len(block) // 2
        _write(block[:middle], work, source, cause)
        _write(block[middle:], work, source, cause)
        return
    for number, outcome in zip(block, found, strict=True):
        work.outcomes[number] = _outcome(outcome)


def _outcome(outcome: PersonOutcome) -> ItemOutcome:
    if outcome.outcome == "rejected":
        return ItemOutcome("rejected", None, outcome.code, refusal_text(outcome.code), "identifiers")
    return ItemOutcome(outcome.outcome, outcome.profile_id)


def _failed(error: Exception) -> ItemOutcome:
    if isinstance(error, CdpError):
        return ItemOutcome("rejected", None, error.code, str(error.message), error.place)
    code = "conflict" if fault_of(error) is Fault.RACE else "not_storable"
    return ItemOutcome("rejected", None, code, refusal_text(code))
