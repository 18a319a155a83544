"""Where a condition reads: a key, a member of an object (`home.city`), or any line of a list (`products[].sku`).

A key that is literally called `home.city` comes first: names of traits and properties may hold dots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LINES = "[]"
_INDEX = re.compile(r"^\s*[+-]?[0-9]{1,9}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A key taken apart: the way to a value or a list, and for a list the way inside each of its lines."""

    key: str
    line_key: str = ""
    is_list: bool = False


def place_of(key: str) -> Place:
    """Take a key apart at its `[]`; raise ValueError for more than one, or for nothing before it."""
    before, mark, after = key.partition(LINES)
    if not mark:
        return Place(key)
    if not before or LINES in after or (after and not after.startswith(".")) or after == ".":
        raise ValueError(key)
    return Place(before, after[1:], True)


def value_at(stored: Any, key: str) -> Any:
    """Return the value of a key, else of the member that its dots lead to; None when there is none."""
    if isinstance(stored, Mapping) and stored.get(key) is not None:
        return stored[key]
    return _inside(stored, key.split(".")) if "." in key else None


def _inside(stored: Any, path: Sequence[str]) -> Any:
    # As PostgreSQL's #> does: a number leads into a list too.
    for step in path:
        if isinstance(stored, Mapping):
            stored = stored.get(step)
        elif isinstance(stored, (list, tuple)) and _INDEX.match(step) and -len(stored) <= int(step) < len(stored):
            stored = stored[int(step)]
        else:
            return None
    return stored


def values_at(stored: Any, place: Place) -> list[Any]:
    """Return the values that a comparison looks at: one, or one for each line of a list."""
    if not place.is_list:
        return [value_at(stored, place.key)]
    lines = value_at(stored, place.key)
    if not isinstance(lines, (list, tuple)):
        return []
    return [value_at(line, place.line_key) if place.line_key else line for line in lines]
