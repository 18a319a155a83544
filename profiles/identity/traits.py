"""What is known of a person: the winning value of every trait, whatever order the values came in.

An assertion is a value with who said it and when; of two assertions the higher (priority, time, tie) wins. That is a
maximum, so merging is commutative, associative and idempotent, and parting people restores what each had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_TRAITS = 300
MAX_VALUE_BYTES = 8192
#: a trusted source's word on an address outranks any public key's, whatever their priorities
TRUSTED_ADDRESS = 1000
ADDRESS_TRAITS = frozenset({"email", "phone"})

_NAME = re.compile(r"^[\w .:$-]{1,100}$")
_UNUSABLE = frozenset({"__proto__", "constructor", "prototype"})
_PROTECTED = re.compile(
    r"^(consent|consents|permission|permissions|role|roles|is_?admin|is_?staff|unsubscribed|subscribed|suppressed|opt_?in|"
    r"opt_?out|email_?verified|verified|erased|restricted)(?![a-z])",
    re.IGNORECASE,
)

Assertion = dict[str, Any]  # {"v": value, "t": time, "p": priority, "s": source id, "m": tie-break, "c": cause}


def name_is_usable(name: str) -> bool:
    """Tell whether a trait may have this name."""
    return bool(_NAME.match(name)) and name not in _UNUSABLE and bool(name.strip())


def is_protected(name: str) -> bool:
    """Tell whether only a trusted source may set this trait: it speaks of permission or of power."""
    return bool(_PROTECTED.match(name))


def stamp(moment: datetime) -> str:
    """Return a time in the one form whose order as text is its order in time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def assertion(
    value: Any, *, name: str, at: str, priority: int, source_id: int | None, tie: str, trusted: bool, cause: str
) -> Assertion:
    """Return the record of one value that was said. A value of None says: there is none."""
    if trusted and name in ADDRESS_TRAITS:
        priority += TRUSTED_ADDRESS
    return {"v": value, "t": at, "p": priority, "s": source_id, "m": tie, "c": cause}


def rank(item: Assertion) -> tuple[Any, ...]:
    """Return what decides between two assertions; total, so that no order of arrival can matter."""
    return (item["p"], item["t"], item["m"], item["s"] or 0, json.dumps(item["v"], sort_keys=True))


def merge_into(known: dict[str, Assertion], said: Mapping[str, Assertion]) -> bool:
    """Fold assertions into `known`, in place; return whether anything changed.

    Above MAX_TRAITS names the first by name stay: also a rule that no order of arrival can change.
    """
    changed = False
    for name, item in said.items():
        there = known.get(name)
        if there is None or rank(there) < rank(item):
            known[name] = item
            changed = True
    if len(known) > MAX_TRAITS:
        for name in sorted(known)[MAX_TRAITS:]:
            del known[name]
    return changed


def winners(assertions: Iterable[Mapping[str, Assertion]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (traits, origins) of a person from what was said under each of the identifiers."""
    best: dict[str, Assertion] = {}
    for said in assertions:
        merge_into(best, said)
    traits = {name: best[name]["v"] for name in sorted(best) if best[name]["v"] is not None}
    origins = {
        name: {"s": best[name]["s"], "t": best[name]["t"], "p": best[name]["p"], "c": best[name].get("c", "")}
        for name in traits
    }
    return traits, origins


@dataclass(frozen=True, slots=True)
class Known:
    """An identifier as far as the derived columns need it."""

    kind: str
    value: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Derived:
    """The columns of a profile that follow from its traits and identifiers."""

    display_name: str
    email: str
    search_text: str
    identified: bool


def derive(traits: Mapping[str, Any], identifiers: Iterable[Known]) -> Derived:
    """Return the name to show, the address to send to (trusted only), the search text, and whether it is known who."""
    ordered = sorted(identifiers, key=lambda item: (item.kind, item.value))
    emails = [item for item in ordered if item.kind == "email"]
    trusted = [item.value for item in emails if item.trusted]
    said = str(traits.get("email") or "").strip().lower()
    address = said if said in trusted else (trusted[0] if trusted else "")
    user_ids = [item.value for item in ordered if item.kind == "user_id"]
    name = person_name(traits)
    shown = name or address or (emails[0].value if emails else "") or (user_ids[0] if user_ids else "")
    words = [name, str(traits.get("company") or "") if isinstance(traits.get("company"), str) else ""]
    words += [item.value for item in ordered if item.kind != "anonymous_id"]
    return Derived(
        shown[:200], address, " ".join(word for word in words if word).lower()[:2000], bool(emails or user_ids)
    )


def person_name(traits: Mapping[str, Any]) -> str:
    """Return the person's name as the traits have it: `name`, else first and last name; empty when unknown."""
    whole = _text(traits, "name")
    if whole:
        return whole
    first = _text(traits, "first_name", "firstName", "firstname", "given_name")
    last = _text(traits, "last_name", "lastName", "lastname", "family_name")
    return f"{first} {last}".strip()


def _text(traits: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = traits.get(name)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:200]
    return ""
