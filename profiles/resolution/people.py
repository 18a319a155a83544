"""Write people: the one way for events, imports, the API and staff.

Whoever has something to say of people resolves whom it is about (`profiles.resolution.resolve`) and hands both to
`write`. A person's row is never written but as the identifiers say: see `profiles.identity.person`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from cdp.common.arrays import bulk_cursor, flags, moments, numbers, texts
from cdp.common.copying import NULL, copy_json, copy_lines, copy_text, copy_time
from profiles.catalogue.observe import Tally
from profiles.catalogue.store import new_tally, recorder
from profiles.changes import Change, announce
from profiles.feed import note_changed
from profiles.identity.person import Known, PersonRow, person_row
from profiles.identity.traits import SENDING_ADDRESS, Assertions, Slots, merge_into
from profiles.resolution.resolve import Resolved
from profiles.resolution.rows import Pair

#: a person's last-seen time is written when it moved this far, in seconds: not on every click
SEEN_STEP = 60

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class TraitDiff:
    """What became of one person's traits: {trait: (old, new)}; None stands for absent."""

    created: bool
    changes: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Written:
    """Whose rows were made anew, and what changed of whose traits."""

    profile_ids: set[int]
    diffs: dict[int, TraitDiff]


def write(
    resolved: Resolved,
    assertions: Mapping[Pair, Assertions],
    *,
    at: datetime,
    cause: str = "",
    also: Collection[int] = (),
    news: str = "",
) -> Written:
    """Write what was said under resolved identifiers, and the rows of everybody whom it concerns.

    `also` names further (locked) people whose rows may have changed. `cause` goes into the history instead of the cause
    that the values carry; who was merged or unmerged has that as the cause. The change is announced with `news` as its
    cause; without that the caller does so.
    """
    said = {resolved.identifiers[pair].id: values for pair, values in assertions.items() if pair not in resolved.new}
    profile_of = {resolved.identifiers[pair].id: resolved.profile_of(pair) for pair in assertions}
    changed = {profile_of[id] for id in _add_assertions(said)} | resolved.changed_profile_ids | set(also)
    causes = dict.fromkeys(changed, cause) if cause else {}
    for move in resolved.moves:
        moved = cause or ("undo" if move.undo else "merge")
        causes[move.from_profile_id] = causes[move.to_profile_id] = moved
    diffs = refresh(
        changed,
        created=resolved.created_profile_ids,
        made=resolved.made,
        causes=causes,
        at=at,
        noted=resolved.changed_profile_ids | set(also),
    )
    if news:
        created = set(resolved.created_profile_ids)
        announce(Change(profile_ids=changed, cause=news, moved=resolved.moves, created_profile_ids=created))
    return Written(changed, diffs)


def _add_assertions(assertions: Mapping[int, Assertions]) -> set[int]:
    """Fold what was said into stored identifiers, by id; return the ids of those that changed."""
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
    save_assertions(changed)
    return {id for id, _ in changed}


def save_assertions(assertions: Sequence[tuple[int, str]]) -> None:
    """Write the assertions of identifiers, given as JSON."""
    if assertions:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE profiles_identifier i SET assertions = n.assertions "
                "FROM unnest(%s::bigint[], %s::jsonb[]) AS n(id, assertions) WHERE i.id = n.id",
                [numbers(id for id, _ in assertions), texts(text for _, text in assertions)],
            )


def drop_slot(slot: str, *, names: Collection[str] | None = None, **where: Sequence[int]) -> set[int]:
    """Forget one slot (of the traits named, or of all) under identifiers of locked people; return their ids.

    `where` is one of `ids` and `profile_ids`.
    """
    column = {"ids": "id", "profile_ids": "profile_id"}[next(iter(where))]
    changed = []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, assertions::text FROM profiles_identifier WHERE {column} = ANY(%s::bigint[])",
            [numbers(sorted(next(iter(where.values()))))],
        )
        for id, text in cursor.fetchall():
            known: dict[str, Slots] = _decode(text)
            named = known.keys() if names is None else known.keys() & set(names)
            dropped = [known[name].pop(slot, None) for name in named]
            if any(item is not None for item in dropped):
                kept = {name: slots for name, slots in known.items() if slots}
                changed.append((id, _encode(kept).decode()))
    save_assertions(changed)
    return {id for id, _ in changed}


#: id -> (known since, last active or None)
Spans = dict[int, tuple[datetime, datetime | None]]


def touch(identifiers: Spans, profiles: Spans) -> None:
    """Widen the times of identifiers and their (locked) people, when they moved a step."""
    for table, spans in (("profiles_identifier", identifiers), ("profiles_profile", profiles)):
        if not spans:
            continue
        ordered = sorted(spans.items())
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} t SET first_seen_at = least(t.first_seen_at, n.first),"
                " last_seen_at = greatest(t.last_seen_at, n.last)"
                " FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS n(id, first, last)"
                " WHERE t.id = n.id AND (n.first < t.first_seen_at OR (t.last_seen_at IS NULL AND n.last IS NOT NULL)"
                " OR n.last > t.last_seen_at + %s * interval '1 second')",
                [
                    numbers(id for id, _ in ordered),
                    moments(span[0] for _, span in ordered),
                    moments(span[1] for _, span in ordered),
                    SEEN_STEP,
                ],
            )


def refresh(
    profile_ids: Collection[int],
    *,
    at: datetime,
    created: Collection[int] = (),
    made: Mapping[int, Sequence[Known]] | None = None,
    causes: Mapping[int, str] | None = None,
    noted: Collection[int] = (),
) -> dict[int, TraitDiff]:
    """Write the rows of these (locked) people as their identifiers say; return what changed of whose traits.

    Those in `created` have no row yet; `made` holds the identifiers of some of them. `causes` overrules, by person, the
    cause that the winning values carry. Whose row changed comes into the change feed, as do those in `noted`, of whom
    something else did.
    """
    if not profile_ids:
        return {}
    made = made or {}
    identifiers = {**_load_identifiers([id for id in profile_ids if id not in made]), **made}
    fresh = set(created)
    stored = load_rows([id for id in profile_ids if id not in fresh])
    diffs: dict[int, TraitDiff] = {}
    inserts: list[tuple[int, PersonRow]] = []
    updates: list[tuple[int, PersonRow]] = []
    history: list[str] = []
    tally = new_tally()
    for id in sorted(profile_ids):
        there = stored.get(id)
        if there is None and id not in fresh:
            continue
        row = person_row(identifiers.get(id, ()), since=there.first_seen_at if there else at)
        if there is None:
            inserts.append((id, row))
        elif _text_of(there) != _text_of(row):
            updates.append((id, row))
            history += _history(id, there, row, (causes or {}).get(id, ""), at)
        if there is None:
            changes = {name: (None, value) for name, value in row.traits.items()}
        else:
            changes = _changes(there.traits, row.traits)
        if changes or there is None:
            diffs[id] = TraitDiff(there is None, changes)
            _observe(tally, changes, row.origins, at)
    _insert(inserts)
    _update(updates)
    copy_lines(_COPY_HISTORY, history)
    recorder.record(tally)
    note_changed({*noted, *(id for id, _row in inserts), *(id for id, _row in updates)})
    return diffs


def _observe(tally: Tally, changes: Mapping[str, tuple[Any, Any]], origins: Mapping[str, Any], at: datetime) -> None:
    for name, (old, new) in changes.items():
        tally.trait(name, old, new, at=at, source_id=(origins.get(name) or {}).get("s"))


def _load_identifiers(profile_ids: Collection[int]) -> dict[int, list[Known]]:
    if not profile_ids:
        return {}
    people: dict[int, list[Known]] = defaultdict(list)
    with bulk_cursor() as cursor:
        cursor.execute(
            "SELECT profile_id, kind, value, trusted_at, first_seen_at, last_seen_at, tied, confirmed_at,"
            " restricted_at, assertions::text FROM profiles_identifier WHERE profile_id = ANY(%s::bigint[])",
            [numbers(sorted(profile_ids))],
        )
        for profile_id, kind, value, trusted, first, last, tied, confirmed, restricted, text in cursor.fetchall():
            said = _decode(text) if text != "{}" else {}
            people[profile_id].append(Known(kind, value, trusted, first, last, tied, confirmed, restricted, said))
    return people


def load_rows(profile_ids: Collection[int]) -> dict[int, PersonRow]:
    """Return people's rows as stored."""
    if not profile_ids:
        return {}
    with bulk_cursor() as cursor:
        cursor.execute(
            f"SELECT id, traits::text, origins::text, {_PLAIN} FROM profiles_profile WHERE id = ANY(%s::bigint[])",
            [numbers(sorted(profile_ids))],
        )
        return {
            id: PersonRow(_decode(traits), _decode(origins), *columns)
            for id, traits, origins, *columns in cursor.fetchall()
        }


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return {name: (old, new)} of what differs as JSON: in Python 1, 1.0 and true are equal."""
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if _encode(old.get(name)) != _encode(new.get(name))
    }


def _text_of(row: PersonRow) -> tuple[Any, ...]:
    return _encode(row.traits), _encode(row.origins), *(getattr(row, name) for name in _PLAIN.split(", "))


def _history(profile_id: int, old: PersonRow, new: PersonRow, cause: str, at: datetime) -> list[str]:
    """Return the lines of the history that a change of traits, or of the address to send to, makes."""
    changes = [
        (name, *change, new.origins.get(name) or {}) for name, change in _changes(old.traits, new.traits).items()
    ]
    if old.email != new.email:
        changes.append((SENDING_ADDRESS, old.email or None, new.email or None, new.origins.get("email") or {}))
    return [
        f"{profile_id}\t{copy_text(name)}\t{copy_json(before)}\t{copy_json(after)}\t{origin.get('s') or NULL}\t"
        f"{copy_time(at)}\t{copy_text((cause or origin.get('c') or 'collect')[:60])}\n"
        for name, before, after, origin in changes
    ]


_COPY_HISTORY = "COPY profiles_traitchange (profile_id, key, old, new, source_id, at, cause) FROM STDIN"
#: the columns of a person's row in the order of PersonRow, those first that hold JSON
_PLAIN = "display_name, email, search_text, identified, first_seen_at, last_seen_at, restricted_at"
_FIELDS = f"traits, origins, {_PLAIN}"
_UNNEST = (
    "unnest(%s::bigint[], %s::jsonb[], %s::jsonb[], %s::text[], %s::text[], %s::text[], %s::bool[], %s::timestamptz[],"
    " %s::timestamptz[], %s::timestamptz[])"
)
_AS_ARRAYS: tuple[Callable[[Iterable[Any]], str], ...] = (
    *(numbers, texts, texts),
    *(texts, texts, texts, flags, moments, moments, moments),
)


def _columns(rows: Iterable[tuple[int, PersonRow]]) -> list[str]:
    """Return people as one array a column."""
    written = [
        (
            id,
            _encode(row.traits).decode(),
            _encode(row.origins).decode(),
            row.display_name,
            row.email,
            row.search_text,
            row.identified,
            row.first_seen_at,
            row.last_seen_at,
            row.restricted_at,
        )
        for id, row in rows
    ]
    return [write(column) for write, column in zip(_AS_ARRAYS, zip(*written, strict=True), strict=True)]


def _insert(rows: list[tuple[int, PersonRow]]) -> None:
    """Write new people by COPY, many times as fast as any INSERT."""
    if not rows:
        return
    lines = [
        f"{id}\t{uuid}\t{copy_json(row.traits)}\t{copy_json(row.origins)}\t{copy_text(row.display_name)}\t"
        f"{copy_text(row.email)}\t{copy_text(row.search_text)}\t{row.identified}\t{copy_time(row.first_seen_at)}\t"
        f"{copy_time(row.last_seen_at)}\t{copy_time(row.restricted_at)}\n"
        for (id, row), uuid in zip(rows, _random_uuids(len(rows)), strict=True)
    ]
    copy_lines(f"COPY profiles_profile (id, uuid, {_FIELDS}) FROM STDIN", lines)


def _random_uuids(count: int) -> list[str]:
    """Return random UUIDs of version 4, from one call for all the randomness."""
    digits = os.urandom(16 * count).hex()
    return [
        f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:]}"
        for d in (digits[start : start + 32] for start in range(0, 32 * count, 32))
    ]


def _update(rows: list[tuple[int, PersonRow]]) -> None:
    if rows:
        assignments = ", ".join(f"{name.strip()} = n.{name.strip()}" for name in _FIELDS.split(","))
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE profiles_profile p SET {assignments} FROM {_UNNEST} AS n(id, {_FIELDS}) WHERE p.id = n.id",
                _columns(rows),
            )
