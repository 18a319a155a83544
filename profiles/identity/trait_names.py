"""One name for each usual trait, however a source writes it: `firstName` and `Voornaam` are both `first_name`.

The names are Segment's reserved traits in snake_case, with the parts of an address and of a name beside them. Names
that are not in the table stay as they are. See docs/traits.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

#: name -> other words for it, as `plain_word` gives them
TRAITS: dict[str, tuple[str, ...]] = {
    "age": ("leeftijd", "alter"),
    "avatar": ("avatarurl", "profilepicture"),
    "birthday": (
        "birthdate",
        "dateofbirth",
        "dob",
        "geboortedatum",
        "verjaardag",
        "geburtsdatum",
        "geburtstag",
        "datedenaissance",
    ),
    "city": ("town", "plaats", "woonplaats", "plaatsnaam", "stad", "ort", "stadt", "wohnort", "ville"),
    "company": ("companyname", "organisation", "organization", "bedrijf", "bedrijfsnaam", "organisatie", "unternehmen"),
    "country": ("countrycode", "land", "landcode", "pays"),
    "created_at": ("createdat",),
    "description": (),
    "email": ("emailaddress", "emailadres", "emailadresse", "mailadres", "mailadresse", "mailaddress", "primaryemail"),
    "first_name": ("firstname", "givenname", "forename", "voornaam", "roepnaam", "vorname", "prenom"),
    "gender": ("sex", "geslacht", "geschlecht"),
    "house_number": ("housenumber", "huisnummer", "huisnr", "hausnummer", "hausnr"),
    "job_title": ("jobtitle", "functie", "functietitel", "beruf"),
    "language": ("taal", "sprache", "lang"),
    "last_name": ("lastname", "surname", "familyname", "achternaam", "familienaam", "nachname", "familienname"),
    "name": ("fullname", "naam", "volledigenaam", "vollstandigername"),
    "name_infix": (
        "nameinfix",
        "infix",
        "tussenvoegsel",
        "tussenvoegsels",
        "voorvoegsel",
        "voorvoegsels",
        "lastnameprefix",
        "surnameprefix",
        "familynameprefix",
        "middlenameprefix",
        "namenszusatz",
        "vorsatzwort",
    ),
    "phone": ("phonenumber", "telephone", "telephonenumber", "telefoon", "telefoonnummer", "telefon", "telefonnummer"),
    "postal_code": ("postalcode", "postcode", "zip", "zipcode", "plz", "postleitzahl", "codepostal"),
    "salutation": ("aanhef", "anrede"),
    "state": ("province", "provincie", "bundesland"),
    "street": ("straat", "straatnaam", "strasse", "streetname", "addressline1"),
    "title": ("titel",),
    "username": ("gebruikersnaam", "benutzername"),
    "website": ("websiteurl", "homepage"),
}
#: parts of an address, which are traits of their own; Segment sends them in one object
ADDRESS_PARTS = ("street", "house_number", "postal_code", "city", "state", "country")
ADDRESS = "address"
#: what is made of the parts for messages and is no trait
FULL_NAME = "full_name"

_LONGEST = 40
_SIGNS = re.compile(r"[^a-z0-9]")


def plain_word(text: str) -> str:
    """Return text in lower case, without accents, spaces and signs: `E-mail adres` and `emailadres` are one."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return _SIGNS.sub("", text.lower())


_BY_WORD = {word: name for name, words in TRAITS.items() for word in (plain_word(name), *words)}


def trait_for_word(text: str) -> str:
    """Return the trait that a word means; empty when it is none of the usual ones."""
    return _BY_WORD.get(plain_word(text), "") if len(text) <= _LONGEST else ""


@lru_cache(maxsize=8192)
def canonical_name(name: str) -> str:
    """Return the one name of a trait; `address.postalCode` is the trait `postal_code`."""
    if name in TRAITS or len(name) > 2 * _LONGEST:
        return name
    before, dot, part = name.partition(".")
    if dot:  # a member of an object
        found = trait_for_word(part) if plain_word(before) == ADDRESS and "." not in part else ""
        return found if found in ADDRESS_PARTS else name
    return name if "[" in name else trait_for_word(name) or name


def canonical_traits(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return traits under their one names, the parts of an address each by itself.

    What is said twice in different words counts once: under its one name first, and else in the order given.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if type(value) is dict and plain_word(name) == ADDRESS:
            _take_address(found, name, value, values)
            continue
        new = canonical_name(name)
        if new == name or (new not in values and new not in found):
            found[new] = value
    return found


def _take_address(found: dict[str, Any], name: str, address: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    rest = {}
    for part, value in address.items():
        new = canonical_name(f"{ADDRESS}.{part}")
        if new not in ADDRESS_PARTS:
            rest[part] = value
        elif new not in values:
            found.setdefault(new, value)
    if rest:
        found[name] = rest
