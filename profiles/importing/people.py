"""Write a block of checked rows to people, in a handful of statements.

Everything that a row says is an assertion under the identifier it was matched by, so joins, partings and the order
of arrival treat imported values like any other. The caller holds the transaction.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from cdp.common.reasons import Params
from profiles.identity.derived import Known, derive
from profiles.identity.traits import Slots, assert_traits, merge_into, slot_of, stamp, winners
from profiles.importing.copying import copy_text

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Who says it, when, and with what weight."""

    cause: str  # import:12
    import_id: int
    source_id: int
    at: datetime

    @property
    def slot(self) -> str:
        """Return where this import's words stand."""
        return slot_of(self.source_id, trusted=True, import_id=self.import_id)


@dataclass(slots=True)
class PersonRow:
    """A row on its way to a person; what happened to it is filled in."""

    line: int
    data: dict[str, Any]
    outcome: str  # as the dry run had it; then what it became
    profile_id: int | None = None
    identifier_id: int | None = None
    reason: str = ""
    params: Params | None = None
    changes: dict[str, list[Any]] = field(default_factory=dict)  # {trait: [old, new]}


@dataclass(slots=True)
class Stored:
    """An identifier as it is in the database."""

    id: int
    kind: str
    value: str
    profile_id: int
    trusted_at: datetime | None
    assertions: dict[str, Slots]


@dataclass(slots=True)
class Person:
    """A person as they are in the database."""

    id: int
    traits: dict[str, Any]
    origins: dict[str, Any]
    restricted: bool
    identifiers: list[Stored] = field(default_factory=list)


def json_text(value: Any) -> str:
    """Return compact JSON."""
    return _encode(value).decode()


def load_identifiers(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
    """Return the identifiers that are known among those given."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, i.kind, i.value, i.profile_id, i.trusted_at, i.assertions FROM profiles_identifier i "
            "JOIN unnest(%s::text[], %s::text[]) AS w(kind, value) ON i.kind = w.kind AND i.value = w.value",
            [[kind for kind, _value in keys], [value for _kind, value in keys]],
        )
        return {(row[1], row[2]): _stored(row) for row in cursor.fetchall()}


def _stored(row: Sequence[Any]) -> Stored:
    said = row[5]
    return Stored(row[0], row[1], row[2], row[3], row[4], msgspec.json.decode(said) if isinstance(said, str) else said)


def load_people(ids: Iterable[int]) -> dict[int, Person]:
    """Return people with all their identifiers, locked in the order of their ids.

    Who holds a person's row may move its identifiers, so these need no lock of their own.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    people: dict[int, Person] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, traits::text, origins::text, restricted_at IS NOT NULL FROM profiles_profile "
            "WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
            [wanted],
        )
        for row in cursor.fetchall():
            people[row[0]] = Person(row[0], msgspec.json.decode(row[1]), msgspec.json.decode(row[2]), row[3])
        cursor.execute(
            "SELECT id, kind, value, profile_id, trusted_at, assertions::text FROM profiles_identifier "
            "WHERE profile_id = ANY(%s) ORDER BY id",
            [wanted],
        )
        for row in cursor.fetchall():
            if row[3] in people:
                people[row[3]].identifiers.append(_stored(row))
    return people


def take_ids(table: str, count: int) -> list[int]:
    """Return new ids from a table's sequence."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(nextval(pg_get_serial_sequence(%s, 'id')))::text FROM generate_series(1, %s)",
            [table, count],
        )
        return [int(number) for number in cursor.fetchone()[0][1:-1].split(",")]


def copy_rows(statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows by COPY."""
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def copy_lines(statement: str, lines: Sequence[str]) -> None:
    """Write finished lines by COPY: for blocks in which every microsecond counts."""
    if lines:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write("".join(lines))


COPY_PROFILES = (
    "COPY profiles_profile (id, uuid, traits, origins, display_name, email, search_text, identified, first_seen_at, "
    "last_seen_at) FROM STDIN"
)
COPY_IDENTIFIERS = (
    "COPY profiles_identifier (id, kind, value, profile_id, anchored_profile_id, trusted_at, in_use, source_id, "
    "first_seen_at, last_seen_at, assertions) FROM STDIN"
)
COPY_LINKS = "COPY profiles_identitylink (low_id, high_id, first_at, tie, weak, manual, source_id) FROM STDIN"
COPY_CHANGES = "COPY profiles_traitchange (profile_id, key, old, new, source_id, at, cause) FROM STDIN"


def _random_uuids(count: int) -> list[str]:
    """Return random UUIDs of version 4, from one call for all the randomness."""
    digits = os.urandom(16 * count).hex()
    return [
        f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:]}"
        for d in (digits[start : start + 32] for start in range(0, 32 * count, 32))
    ]


def first_word(values: Mapping[str, Any], said: Provenance, at: str, tie: str) -> tuple[str, str, str]:
    """Return (traits, origins, assertions) of somebody of whom nothing was said before, as JSON for COPY.

    The same as `assertion` and `winners` give (a test holds them together), at a third of the time: all values of a
    row share who said them and when.
    """
    mark = f'"t":"{at}"'
    cause = f'"c":"{said.cause}"'
    traits, origins, made = [], [], []
    for name, value in sorted(values.items()):
        key, text = _encode(name).decode(), _encode(value).decode()
        traits.append(f"{key}:{text}")
        origins.append(f'{key}:{{"s":{said.source_id},{mark},{cause}}}')
        made.append(f'{key}:{{"{said.slot}":{{"v":{text},{mark},"m":"{tie}",{cause}}}}}')
    whole = f"{{{','.join(traits)}}}\t{{{','.join(origins)}}}\t{{{','.join(made)}}}"
    first, second, third = whole.replace("\\", "\\\\").split("\t")
    return first, second, third


def create_people(rows: Sequence[PersonRow], said: Provenance) -> None:
    """Make a person of each row; raises IntegrityError when an identifier came to be in the meantime.

    A row that brings no number for its person (the one it was to change went away) gets one here.
    """
    if not rows:
        return
    at, now = stamp(said.at), said.at.isoformat()
    without = [row for row in rows if row.outcome != "created" or row.profile_id is None]
    for row, number in zip(without, take_ids("profiles_profile", len(without)), strict=True):
        row.profile_id = number
    identifier_ids = iter(take_ids("profiles_identifier", sum(len(row.data["i"]) for row in rows)))
    uuids = _random_uuids(len(rows))
    profiles, identifiers, links = [], [], []
    for row, public_id in zip(rows, uuids, strict=True):
        data = row.data
        values = {**data.get("t", {}), **data.get("f", {}), **data.get("n", {})}
        tie = f"{said.cause}:{row.line}"
        traits, origins, made = first_word(values, said, at, tie)
        shown = derive(values, [Known(kind, value, said.at) for kind, value in data["i"]])
        profiles.append(
            f"{row.profile_id}\t{public_id}\t{traits}\t{origins}\t{copy_text(shown.display_name)}\t"
            f"{copy_text(shown.email)}\t{copy_text(shown.search_text)}\t{shown.identified}\t{now}\t{now}\n"
        )
        first = 0
        for kind, value in data["i"]:
            number = next(identifier_ids)
            anchor, text = ("\\N", "{}") if first else (row.profile_id, made)
            identifiers.append(
                f"{number}\t{kind}\t{copy_text(value)}\t{row.profile_id}\t{anchor}\t{now}\t{not first}\t"
                f"{said.source_id}\t{now}\t{now}\t{text}\n"
            )
            if first:
                links.append(f"{first}\t{number}\t{now}\t{tie}\tf\tf\t{said.source_id}\n")
            first = first or number
        row.identifier_id, row.outcome = first, "created"
    copy_lines(COPY_PROFILES, profiles)
    copy_lines(COPY_IDENTIFIERS, identifiers)
    copy_lines(COPY_LINKS, links)


def update_people(rows: Sequence[PersonRow], people: Mapping[int, Person], said: Provenance) -> None:
    """Bring each row to its person, as far as its rules and other sources' priorities allow."""
    changed: dict[int, Person] = {}
    touched: dict[int, Stored] = {}
    new: list[tuple[PersonRow, Stored, str, str]] = []
    for row in rows:
        person = people[row.profile_id or 0]
        known = {(item.kind, item.value): item for item in person.identifiers}
        match = known[tuple(row.data["i"][0])]
        row.identifier_id = match.id
        _say(row, person, match, said)
        fresh = [key for key in map(tuple, row.data["i"]) if key not in known]
        new += [(row, match, kind, value) for kind, value in fresh]
        for kind, value in fresh:
            row.changes[f"id:{kind}"] = [None, value]
        row.outcome = "updated" if row.changes else "unchanged"
        if row.changes:
            changed[person.id] = person
            touched[match.id] = match
    _insert_identifiers(new, people, said)
    save_assertions(touched.values())
    save_people(changed.values())
    changes = [
        (row.profile_id, name, _json_or_null(change[0]), _json_or_null(change[1]), said.source_id, said.at, said.cause)
        for row in rows
        for name, change in row.changes.items()
        if not name.startswith("id:")
    ]
    if changes:
        copy_rows(COPY_CHANGES, changes)


def _say(row: PersonRow, person: Person, match: Stored, said: Provenance) -> None:
    """Fold the row's values into what was said under the identifier, and note what that changes."""
    values = {name: value for name, value in row.data.get("t", {}).items() if person.traits.get(name) != value}
    values |= {name: value for name, value in row.data.get("f", {}).items() if name not in person.traits}
    if not values:
        return
    merge_into(
        match.assertions,
        assert_traits(values, slot=said.slot, at=stamp(said.at), tie=f"{said.cause}:{row.line}", cause=said.cause),
    )
    old = person.traits
    person.traits, person.origins = winners((item.assertions, True) for item in person.identifiers)
    for name, value in values.items():
        if person.traits.get(name) == value and old.get(name) != value:
            row.changes[name] = [old.get(name), value]


def _insert_identifiers(
    new: Sequence[tuple[PersonRow, Stored, str, str]], people: Mapping[int, Person], said: Provenance
) -> None:
    """Add identifiers to people who are there, each linked to the one the row was matched by."""
    if not new:
        return
    ids = take_ids("profiles_identifier", len(new))
    rows, links = [], []
    for number, (row, match, kind, value) in zip(ids, new, strict=True):
        rows.append((number, kind, value, row.profile_id, None, said.at, False, said.source_id, said.at, said.at, "{}"))
        low, high = sorted((match.id, number))
        links.append((low, high, said.at, f"{said.cause}:{row.line}", False, False, said.source_id))
        people[row.profile_id or 0].identifiers.append(Stored(number, kind, value, row.profile_id or 0, said.at, {}))
    copy_rows(COPY_IDENTIFIERS, rows)
    copy_rows(COPY_LINKS, links)


def save_assertions(identifiers: Iterable[Stored]) -> None:
    """Store what was said under identifiers."""
    items = sorted(identifiers, key=lambda item: item.id)
    if not items:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_identifier i SET assertions = w.said "
            "FROM unnest(%s::bigint[], %s::jsonb[]) AS w(id, said) "
            "WHERE i.id = w.id",
            [[item.id for item in items], [json_text(item.assertions) for item in items]],
        )


def save_people(people: Iterable[Person]) -> None:
    """Store people's traits and what follows from them."""
    items = sorted(people, key=lambda person: person.id)
    if not items:
        return
    shown = [
        derive(
            person.traits,
            [Known(item.kind, item.value, item.trusted_at, True, None, item.assertions) for item in person.identifiers],
        )
        for person in items
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE profiles_profile p SET traits = w.traits, origins = w.origins, display_name = w.name, "
            "email = w.email, "
            "search_text = w.search, identified = w.identified "
            "FROM unnest(%s::bigint[], %s::jsonb[], %s::jsonb[], %s::text[], %s::text[], %s::text[], %s::boolean[]) "
            "AS w(id, traits, origins, name, email, search, identified) WHERE p.id = w.id",
            [
                [person.id for person in items],
                [json_text(person.traits) for person in items],
                [json_text(person.origins) for person in items],
                [each.display_name for each in shown],
                [each.email for each in shown],
                [each.search_text for each in shown],
                [each.identified for each in shown],
            ],
        )


def _json_or_null(value: Any) -> str | None:
    return None if value is None else json_text(value)
