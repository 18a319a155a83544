"""Make people's rows anew from what hangs on their identifiers: traits, origins, names, addresses, times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from cdp.common.arrays import bulk_cursor, flags, moments, numbers, texts
from profiles.catalogue.observe import Tally
from profiles.catalogue.store import new_tally, recorder
from profiles.identity.derived import Derived, Known, derive
from profiles.identity.traits import SENDING_ADDRESS, Assertions, merge_into, winners

#: a person's last-seen time is written when it moved this far, in seconds: not on every click
SEEN_STEP = 60

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.decode


@dataclass(slots=True)
class _Person:
    """Everything that hangs on one person's identifiers."""

    identifiers: list[Known] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class TraitDiff:
    """What became of one person's traits: {trait: (old, new)}; None stands for absent."""

    created: bool
    changes: dict[str, tuple[Any, Any]]


def add_assertions(assertions: Mapping[int, Assertions]) -> set[int]:
    """Fold what was asserted into stored identifiers, by id; return the ids of those that changed.

    The profiles must be locked.
    """
    if not assertions:
        return set()
    changed: list[tuple[int, str]] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, assertions::text FROM profiles_identifier WHERE id = ANY(%s::bigint[])",
            [numbers(sorted(assertions))],
        )
        for id, text in cursor.fetchall():
            known = _decode(text)
            if merge_into(known, assertions[id]):
                changed.append((id, _encode(known).decode()))
        if changed:
            cursor.execute(
                "UPDATE profiles_identifier i SET assertions = n.assertions "
                "FROM unnest(%s::bigint[], %s::jsonb[]) AS n(id, assertions) WHERE i.id = n.id",
                [numbers(id for id, _ in changed), texts(text for _, text in changed)],
            )
    return {id for id, _ in changed}


def drop_slot(profile_id: int, slot: str, names: Collection[str]) -> None:
    """Forget one slot of these traits under all identifiers of a (locked) person."""
    if not names:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, assertions::text FROM profiles_identifier WHERE profile_id = %s AND assertions ?| %s",
            [profile_id, sorted(names)],
        )
        for id, text in cursor.fetchall():
            known = _decode(text)
            for name in names & known.keys():
                known[name].pop(slot, None)
            kept = {name: slots for name, slots in known.items() if slots}
            cursor.execute(
                "UPDATE profiles_identifier SET assertions = %s::jsonb WHERE id = %s", [_encode(kept).decode(), id]
            )


def touch(
    identifiers: Mapping[int, tuple[datetime, datetime]], profiles: Mapping[int, tuple[datetime, datetime]]
) -> None:
    """Widen the times between which identifiers and their (locked) people were seen, when they moved a step."""
    for table, spans in (("profiles_identifier", identifiers), ("profiles_profile", profiles)):
        if not spans:
            continue
        ordered = sorted(spans.items())
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} t SET first_seen_at = least(t.first_seen_at, n.first),"
                " last_seen_at = greatest(t.last_seen_at, n.last)"
                " FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS n(id, first, last)"
                " WHERE t.id = n.id AND (n.first < t.first_seen_at"
                " OR n.last > t.last_seen_at + %s * interval '1 second')",
                [
                    numbers(id for id, _ in ordered),
                    moments(span[0] for _, span in ordered),
                    moments(span[1] for _, span in ordered),
                    SEEN_STEP,
                ],
            )


def refresh(
    profile_ids: Collection[int], *, created: Collection[int] = (), cause: str = "", at: datetime
) -> dict[int, TraitDiff]:
    """Write the rows of these (locked) people as their identifiers say; return what changed of whose traits.

    Those in `created` have no row yet. `cause` overrules the cause that the winning values carry (merge, undo).
    """
    if not profile_ids:
        return {}
    people = _load_people(profile_ids)
    fresh = set(created)
    diffs: dict[int, TraitDiff] = {}
    inserts: list[tuple[Any, ...]] = []
    updates: list[tuple[Any, ...]] = []
    history: list[tuple[Any, ...]] = []
    tally = new_tally()
    rows = _load_rows([id for id in profile_ids if id not in fresh])
    for id in sorted(profile_ids):
        person = people.get(id) or _Person()
        traits, origins = winners((item.assertions, item.tied) for item in person.identifiers if item.assertions)
        derived = derive(traits, person.identifiers)
        if id in fresh:
            inserts.append((id, *_written(traits, origins, derived), person.first or at, person.last or at))
            diffs[id] = TraitDiff(True, {name: (None, value) for name, value in traits.items()})
            _observe(tally, diffs[id].changes, origins, at)
            continue
        row = rows.get(id)
        if row is None:
            continue
        changes = _changes(row.traits, traits)
        if changes:
            diffs[id] = TraitDiff(False, changes)
            _observe(tally, changes, origins, at)
            history += [_history(id, name, *change, origins.get(name), cause, at) for name, change in changes.items()]
        if row.derived.email != derived.email:
            change = (row.derived.email or None, derived.email or None)
            history.append(_history(id, SENDING_ADDRESS, *change, origins.get("email"), cause, at))
        first, last = person.first or row.first, person.last or row.last
        if changes or row.origins != origins or row.derived != derived or (row.first, row.last) != (first, last):
            updates.append((id, *_written(traits, origins, derived), first, last))
    _insert(inserts)
    _update(updates)
    _write_history(history)
    recorder.record(tally)
    return diffs


def _observe(tally: Tally, changes: Mapping[str, tuple[Any, Any]], origins: Mapping[str, Any], at: datetime) -> None:
    for name, (old, new) in changes.items():
        tally.trait(name, old, new, at=at, source_id=(origins.get(name) or {}).get("s"))


def _written(traits: Any, origins: Any, derived: Derived) -> tuple[Any, ...]:
    return (
        _encode(traits).decode(),
        _encode(origins).decode(),
        derived.display_name,
        derived.email,
        derived.search_text,
        derived.identified,
    )


def _load_people(profile_ids: Collection[int]) -> dict[int, _Person]:
    people: dict[int, _Person] = defaultdict(_Person)
    with bulk_cursor() as cursor:
        cursor.execute(
            "SELECT profile_id, kind, value, trusted_at, tied, assertions::text, confirmed_at, first_seen_at,"
            " last_seen_at FROM profiles_identifier WHERE profile_id = ANY(%s::bigint[])",
            [numbers(sorted(profile_ids))],
        )
        for profile_id, kind, value, trusted_at, tied, text, confirmed, first, last in cursor.fetchall():
            person = people[profile_id]
            said = _decode(text) if text != "{}" else {}
            person.identifiers.append(Known(kind, value, trusted_at, tied, confirmed, said))
            person.first = first if person.first is None else min(first, person.first)
            person.last = last if person.last is None else max(last, person.last)
    return people


@dataclass(frozen=True, slots=True)
class _Row:
    traits: dict[str, Any]
    origins: dict[str, Any]
    derived: Derived
    first: datetime
    last: datetime


def _load_rows(profile_ids: Collection[int]) -> dict[int, _Row]:
    if not profile_ids:
        return {}
    with bulk_cursor() as cursor:
        cursor.execute(
            "SELECT id, traits::text, origins::text, display_name, email, search_text, identified, first_seen_at,"
            " last_seen_at FROM profiles_profile WHERE id = ANY(%s::bigint[])",
            [numbers(sorted(profile_ids))],
        )
        return {
            row[0]: _Row(_decode(row[1]), _decode(row[2]), Derived(*row[3:7]), row[7], row[8])
            for row in cursor.fetchall()
        }


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    if old == new:
        return {}
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def _history(
    profile_id: int, name: str, old: Any, new: Any, origin: dict[str, Any] | None, cause: str, at: datetime
) -> tuple[Any, ...]:
    origin = origin or {}
    return (
        profile_id,
        name,
        None if old is None else _encode(old).decode(),
        None if new is None else _encode(new).decode(),
        origin.get("s"),
        at,
        (cause or origin.get("c") or "collect")[:60],
    )


_FIELDS = "traits, origins, display_name, email, search_text, identified, first_seen_at, last_seen_at"
_UNNEST = (
    "unnest(%s::bigint[], %s::jsonb[], %s::jsonb[], %s::text[], %s::text[], %s::text[], %s::bool[], %s::timestamptz[],"
    " %s::timestamptz[])"
)
_AS_ARRAYS = (numbers, texts, texts, texts, texts, texts, flags, moments, moments)


def _columns(writers: Iterable[Callable[[Iterable[Any]], str]], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return rows as one array a column."""
    return [write(column) for write, column in zip(writers, zip(*rows, strict=True), strict=True)]


def _insert(rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO profiles_profile (id, uuid, {_FIELDS}) "
                f"SELECT n.id, gen_random_uuid(), {', '.join('n.' + name.strip() for name in _FIELDS.split(','))} "
                f"FROM {_UNNEST} AS n(id, {_FIELDS})",
                _columns(_AS_ARRAYS, rows),
            )


def _update(rows: list[tuple[Any, ...]]) -> None:
    if rows:
        assignments = ", ".join(f"{name.strip()} = n.{name.strip()}" for name in _FIELDS.split(","))
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE profiles_profile p SET {assignments} FROM {_UNNEST} AS n(id, {_FIELDS}) WHERE p.id = n.id",
                _columns(_AS_ARRAYS, rows),
            )


def _write_history(rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO profiles_traitchange (profile_id, key, old, new, source_id, at, cause) SELECT * FROM "
                "unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::jsonb[], %s::bigint[], %s::timestamptz[],"
                " %s::text[])",
                _columns((numbers, texts, texts, texts, numbers, moments, texts), rows),
            )
