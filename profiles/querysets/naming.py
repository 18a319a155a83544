"""Find many people at once by what names them: an id, or `kind:value` as in `email:anna@example.org`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from profiles.identity.normalise import normalise
from profiles.models import Identifier, Profile

MAX_KIND = 40


@dataclass(frozen=True)
class Named:
    """What names stand for: the person as of now (profile id), and the names that nobody could read."""

    people: dict[str, int] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()


def names_an_identifier(text: str) -> bool:
    """Tell whether a name gives an identifier away, rather than an id."""
    return ":" in text


def find_named(names: Iterable[str]) -> Named:
    """Return whom these names stand for; whoever was merged stands for the person that they are now."""
    uuids: dict[str, uuid.UUID] = {}
    pairs: dict[str, tuple[str, str]] = {}
    unreadable = set()
    for name in set(names):
        if (pair := _pair(name)) is not None:
            pairs[name] = pair
        elif (number := _uuid(name)) is not None:
            uuids[name] = number
        else:
            unreadable.add(name)
    by_uuid = {
        number: (pk, merged)
        for number, pk, merged in Profile.objects.filter(uuid__in=set(uuids.values())).values_list(
            "uuid", "pk", "merged_into_id"
        )
    }
    by_pair = _by_pair(set(pairs.values()))
    found = {name: by_uuid[number] for name, number in uuids.items() if number in by_uuid}
    people = {name: merged or pk for name, (pk, merged) in found.items()}
    return Named(
        people | {name: by_pair[pair] for name, pair in pairs.items() if pair in by_pair}, frozenset(unreadable)
    )


def _pair(name: str) -> tuple[str, str] | None:
    kind, colon, text = name.partition(":")
    kind = kind.strip()
    if not colon or not kind or len(kind) > MAX_KIND:
        return None
    value = normalise(kind, text)
    return (kind, value) if value else None


def _uuid(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(name.strip())
    except ValueError:
        return None


def _by_pair(pairs: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    values: dict[str, set[str]] = {}
    for kind, value in pairs:
        values.setdefault(kind, set()).add(value)
    return {
        (kind, value): profile_id
        for kind, wanted in values.items()
        for value, profile_id in Identifier.objects.filter(kind=kind, value__in=wanted).values_list(
            "value", "profile_id"
        )
    }
