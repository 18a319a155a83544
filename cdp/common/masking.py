"""Hide who people are from readers who may see figures but not people (`profiles.view_pii`).

By an allow-list: what is not surely free of personal data is masked, however it is named and in whatever language.
Views ask a `Reader`, made from the request's user. What staff wrote (names of segments, campaigns, purposes, sources)
is shown as it is, but for addresses in running text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Sequence
from itertools import pairwise
from typing import Any

from cdp.common.registry import not_personal

PII_PERMISSION = "profiles.view_pii"
DOTS = "•••"

#: words of a trait's or property's name that say: this is about who somebody is, be it a number or a date
_WORDS = """
name firstname lastname surname fullname displayname nickname username email mail phone mobile telephone tel fax address
street housenumber postcode zip zipcode postalcode birthday birthdate birth dob born avatar photo ip iban bsn ssn
passport vat latitude longitude lat lng lon geo coordinates useragent
naam voornaam achternaam tussenvoegsel telefoon mobiel gsm adres straat huisnummer verjaardag breedtegraad lengtegraad
paspoort vorname nachname strasse straße hausnummer plz postleitzahl telefon handy nom prenom prénom adresse
anniversaire apellido имя фамилия телефон адрес
"""
PERSONAL_WORDS = frozenset(_WORDS.split())
_BIRTH = ("birth", "geboor", "geboren", "verjaar", "geburt", "naissance", "nacimiento", "nascita", "рожд")
#: `order_id`, `orderId`, `url`, `klantnummer`; not `paid`
_ID_LIKE = re.compile(r"(?:^|[_.\]\s-])(?:ids?|uuid|guid|token|hash|key|ur[il])$|[a-z](?:I[dD]s?|U[rR][lLiI]|Token)$")
_NUMBER_OF = re.compile(r"(?:nummer|number|nr|num|code|pin)$", re.IGNORECASE)
#: from here on a whole number may be a telephone number, a customer's number, a day or a moment
_LONG_NUMBER = 10_000_000
_DATE = re.compile(r"([0-9]{4})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
#: a moment with seconds: nobody's birth is known so exactly. A birthday written as a midnight, of any zone, is none
_MOMENT = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[T ][0-9]{2}:([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
#: text that is of a closed list, under the name of that list
_CODES = {
    "currency": re.compile(r"[A-Z]{3}"),
    "language": re.compile(r"[a-z]{2}(?:[-_][A-Z]{2})?"),
    "locale": re.compile(r"[a-z]{2}(?:[-_][A-Z]{2})?"),
    "country_code": re.compile(r"[A-Z]{2}"),
}
_AT = r"(?:@|＠|﹫|%40|%2540|&#64;|&commat;|\\u0040)"
_ADDRESS = re.compile(rf"[^\s@<>\"',;:=&?/]+{_AT}[^\s@<>\"',;&?/]+", re.IGNORECASE)
_AT_SIGN = re.compile(_AT, re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d\s()./-]{7,18}\d(?![\w.])")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


def can_see_pii(user: Any) -> bool:
    """Tell whether this reader may see names, addresses and raw events."""
    return bool(user is not None and user.has_perm(PII_PERMISSION))


def mask_word(word: str) -> str:
    """Keep the first letter: `Anna` becomes `A•••`."""
    return word[0] + DOTS if word else ""


def mask_name(name: str) -> str:
    """Mask every word of a name; an address given as a name is masked as one."""
    if "@" in name:
        return mask_email(name)
    return " ".join(mask_word(word) for word in name.split())


def mask_email(address: str) -> str:
    """Mask both halves and keep the last label: `anna@example.org` becomes `a•••@e•••.org`."""
    local, at, domain = address.rpartition("@")
    if not at:
        return mask_word(address)
    head, dot, last = domain.rpartition(".")
    return f"{mask_word(local)}@{mask_word(head)}{dot}{last}" if dot else f"{mask_word(local)}@{mask_word(domain)}"


def mask_identifier(kind: str, value: str) -> str:
    """Mask an identifier: addresses by halves, anything else down to its last two characters."""
    if kind == "email" or "@" in value:
        return mask_email(value)
    return DOTS + value[-2:] if len(value) > 4 else DOTS


def mask_text(text: str) -> str:
    """Mask the mail addresses and telephone numbers inside running text or a web address."""
    return _PHONE.sub(DOTS, mask_addresses(text))


def mask_addresses(text: str) -> str:
    """Mask the mail addresses inside running text or a web address, the `@` written in whatever way."""
    return _ADDRESS.sub(lambda hit: mask_email(_AT_SIGN.sub("@", hit[0])), text)


def is_personal(key: str) -> bool:
    """Tell whether a trait's name speaks of who somebody is (`first_name`, `homeAddress`, `e-mail`)."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key)
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
    pairs = {first + second for first, second in pairwise(words)}
    named = PERSONAL_WORDS & ({*words, "".join(words)} | pairs)
    return bool(named) or any(part in key.casefold() for part in _BIRTH)


def is_id_like(path: str) -> bool:
    """Tell whether a path names an id, an address of a page, or a secret: values nobody chooses from a list."""
    return any(_ID_LIKE.search(text) is not None for text in (path, path.lower()))


def mask_value(path: str, value: Any, open_paths: Container[str] = ()) -> Any:
    """Mask the value of a trait or property for a reader without permission, lists and objects included.

    Shown is only what surely tells nothing of who somebody is: short numbers, coordinates and other fractions to two
    places, yes and no, moments (of a day only its year), and what stands at `open_paths`, which the catalogue marks as
    not personal: `city`, `address.city`, `lines[].sku`. In those texts addresses and telephone numbers are masked
    still.
    """
    if isinstance(value, dict):
        return {
            mask_key(name): mask_value(f"{path}.{name}" if path else name, item, open_paths)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask_value(f"{path}[]", item, open_paths) for item in value]
    if value is None or isinstance(value, bool):
        return value
    is_open = path in open_paths or path.removesuffix("[]") in open_paths
    if isinstance(value, str):
        return mask_text(value) if is_open else _mask_string(path, value)
    return value if is_open else _mask_number(path, value)


def mask_key(key: str) -> str:
    """Mask a trait's or property's name where a source wrote an address or a number into it."""
    return mask_text(key)


def _last(path: str) -> str:
    return path.removesuffix("[]").rpartition(".")[2]


def _mask_string(path: str, text: str) -> str:
    codes = _CODES.get(_last(path).lower())
    if codes is not None and codes.fullmatch(text):
        return text
    if is_personal(path):
        return DOTS
    moment = _MOMENT.fullmatch(text)
    if moment is not None and (moment[2] != "00" or int(moment[3] or 0) or int(moment[1]) % 15):
        return text
    day = _DATE.match(text)
    if day is not None and (moment is not None or len(text) == len(day[0])):
        return f"{day[1]}-{DOTS}"
    return DOTS if text else ""


def _mask_number(path: str, value: Any) -> Any:
    name = path.removesuffix("[]")
    if is_personal(path) or is_id_like(name) or _NUMBER_OF.search(name):
        return DOTS
    if abs(value) >= _LONG_NUMBER:
        return DOTS
    return value if isinstance(value, int) else round(value, 2)


class Reader:
    """What one reader may see of people; made once a request. Every method returns a value as this reader sees it."""

    def __init__(self, user: Any) -> None:
        self.sees_people = can_see_pii(user)
        self._paths: dict[str, Collection[str]] = {}
        self._events: dict[str, bool] = {}

    @classmethod
    def of(cls, sees_people: bool) -> Reader:
        """Return a reader of whom it is known already whether they may see people."""
        reader = cls(None)
        reader.sees_people = sees_people
        return reader

    def name(self, text: str) -> str:
        """Return the name of a person."""
        return text if self.sees_people else mask_name(text)

    def identifier(self, kind: str, value: str) -> str:
        """Return an identifier; an address is one of kind `email`."""
        return value if self.sees_people or not value else mask_identifier(kind, value)

    def text(self, text: str) -> str:
        """Return what staff or we wrote: only addresses and telephone numbers in it are masked."""
        return text if self.sees_people else mask_text(text)

    def outside(self, text: str) -> str:
        """Return what came from outside and may say anything: a file's name, a mail server's reply, an evidence."""
        return text if self.sees_people or not text else DOTS

    def message_id(self, text: str) -> str:
        """Return the id of a message: a random one as it is, one that a sender made up masked."""
        return text if self.sees_people or not text or _UUID.fullmatch(text) else mask_identifier("message_id", text)

    def key(self, path: str) -> str:
        """Return the name of a trait or property."""
        return path if self.sees_people else mask_key(path)

    def trait(self, path: str, value: Any) -> Any:
        """Return the value of a trait, or of a part of one."""
        return value if self.sees_people else mask_value(path, value, self.open_paths(""))

    def properties(self, event: str, properties: Any) -> Any:
        """Return the properties of an event."""
        return properties if self.sees_people else mask_value("", properties, self.open_paths(event))

    def property(self, event: str, path: str, value: Any) -> Any:
        """Return the value of one property of an event."""
        return value if self.sees_people else mask_value(path, value, self.open_paths(event))

    def context(self, context: Any) -> Any:
        """Return the context of an event, of which no catalogue is kept."""
        return context if self.sees_people else mask_value("", context)

    def frequent(self, event: str, path: str, values: Sequence[str]) -> list[str]:
        """Return those frequent values of a trait, or of a property of an event, that may be shown."""
        if self.sees_people:
            return list(values)
        if path in self.open_paths(event):
            return [text for text in values if mask_text(text) == text]
        return [text for text in values if self._is_plain(path, text)]

    @staticmethod
    def _is_plain(path: str, text: str) -> bool:
        if text in ("yes", "no"):
            return True
        try:
            number = float(text)
        except ValueError:
            return False
        return bool(mask_value(path, int(number) if number.is_integer() else number) == number)

    def events(self, names: Iterable[str]) -> dict[str, str]:
        """Return the names of events by name: those that one person may be named in are masked."""
        wanted = set(names)
        if self.sees_people:
            return {name: name for name in wanted}
        unknown = sorted(wanted - self._events.keys())
        if unknown:
            shown = {name for known in not_personal for name in known.events(unknown)}
            self._events |= {name: name in shown for name in unknown}
        return {name: name if self._events[name] or not name else DOTS for name in wanted}

    def event(self, name: str) -> str:
        """Return the name of an event."""
        return self.events([name])[name]

    def shows_event(self, name: str) -> bool:
        """Tell whether this reader sees the name of an event."""
        return self.event(name) == name

    def open_paths(self, event: str) -> Collection[str]:
        """Return the paths of traits (`event` empty) or of an event's properties that are marked as not personal."""
        if event not in self._paths:
            self._paths[event] = frozenset(path for known in not_personal for path in known.paths(event))
        return self._paths[event]


def reader_of(request: Any) -> Reader:
    """Return the reader who asks; one for the whole request, so that the catalogue is read once."""
    known = getattr(request, "_reader", None)
    if known is not None and known[0] == request.user.pk:
        return known[1]  # type: ignore[no-any-return]
    reader = Reader(request.user)
    request._reader = (request.user.pk, reader)
    return reader
