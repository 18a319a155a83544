"""Guess from a column's header what it holds, in English, Dutch and German."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from profiles.identity.trait_names import plain_word, trait_for_word
from profiles.identity.traits import ADDRESS_TRAITS

#: target -> header words that mean it in a file of contacts, beside those of the usual traits
_WORDS: dict[str, tuple[str, ...]] = {
    "id:email": ("mail",),
    "id:phone": ("mobile", "mobilephone", "mobiel", "gsm", "mobielnummer", "handy", "handynummer", "mobilnummer"),
    "id:user_id": (
        "userid",
        "customerid",
        "contactid",
        "customernumber",
        "klantnummer",
        "klantid",
        "klantnr",
        "relatienummer",
        "gebruikersid",
        "kundennummer",
        "kundennr",
        "kundenid",
        "externalid",
    ),
    "trait:street": ("address", "adres", "adresse"),
    "trait:company": ("firma",),
    "trait:job_title": ("position",),
}
_BY_WORD = {word: target for target, words in _WORDS.items() for word in words}


def guess_target(header: str, extra: dict[str, Sequence[str]] | None = None) -> str:
    """Return the likely target of a header; a trait of the header's own name when no word is known.

    `extra` holds the header words of registered targets by target name.
    """
    if header.startswith("_"):
        return ""  # a column that the file of rejected rows added
    word = plain_word(header)
    for target, words in (extra or {}).items():
        if word in {plain_word(each) for each in words}:
            return target
    if word in _BY_WORD:
        return _BY_WORD[word]
    usual = trait_for_word(header)
    if usual:
        return f"id:{usual}" if usual in ADDRESS_TRAITS else f"trait:{usual}"
    key = trait_key(header)
    return f"trait:{key}" if key else ""


def trait_key(header: str) -> str:
    """Return a trait's name made of a header: `Laatste bestelling (€)` becomes `laatste_bestelling`."""
    bare = unicodedata.normalize("NFKD", header.replace("ß", "ss"))
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    key = re.sub(r"[^A-Za-z0-9]+", "_", bare).strip("_").lower()[:100]
    return key if re.match(r"[a-z]", key) else (f"column_{key}"[:100] if key else "")


def name_columns(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (names, all different and not empty; warnings: `empty:` or `duplicate:` with the name given)."""
    names: list[str] = []
    warnings: list[str] = []
    taken: set[str] = set()
    for position, cell in enumerate(header, start=1):
        name = " ".join(cell.split())[:200]
        if not name:
            name = f"Column {position}"
            warnings.append(f"empty:{name}")
        base, number = name, 2
        while name.casefold() in taken:
            name = f"{base} ({number})"
            number += 1
        if name != base:
            warnings.append(f"duplicate:{name}")
        taken.add(name.casefold())
        names.append(name)
    return names, warnings


def fingerprint(names: Sequence[str]) -> str:
    """Return a digest of the header, by which the mapping of an earlier file with the same columns is found."""
    return hashlib.sha256("\n".join(plain_word(name) or name for name in names).encode()).hexdigest()
