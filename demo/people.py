"""The people of the demo: who they are, by which devices they come, what they allow."""

from __future__ import annotations

import random
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import date

from demo import vocabulary

#: share of people per way of life, sessions and orders from-to, over thirteen months
WAYS = {
    "visitor": (20, (1, 3), (0, 0)),  # never says who he is
    "subscriber": (22, (1, 3), (0, 0)),  # takes the newsletter, buys nothing
    "account": (9, (2, 4), (0, 0)),
    "once": (28, (1, 3), (1, 1)),
    "returning": (16, (3, 7), (2, 4)),
    "loyal": (5, (6, 13), (5, 10)),
}
#: ways in which a known person answered; each purpose draws on its own
ANSWERS = ("given", "refused", "withdrawn", "regiven", "objected", "")
ANSWER_WEIGHTS = {
    "newsletter": (56, 12, 10, 3, 2, 17),
    "product-tips": (32, 20, 8, 2, 2, 36),
    "partner-offers": (8, 30, 3, 0, 3, 56),
}
_NAMESPACE = uuid.UUID("6f1f3f0a-3c1b-5d6e-9a59-5d0c3c0e7a11")


def stable_id(*parts: object) -> str:
    """Return the same UUID for the same parts, in every run: so a second push counts as duplicates."""
    return str(uuid.uuid5(_NAMESPACE, ":".join(str(part) for part in parts)))


@dataclass(frozen=True)
class Person:
    """Somebody who visits the shop."""

    number: int
    seed: int
    way: str
    first_name: str
    last_name: str
    email: str
    phone: str
    country: str
    city: str
    postcode: str
    language: str
    birthday: str
    lapsed: bool
    devices: tuple[vocabulary.Device, ...]
    answers: dict[str, str]

    @property
    def known(self) -> bool:
        """Tell whether the person ever says who he is."""
        return self.way != "visitor"

    @property
    def user_id(self) -> str:
        """Return the shop's customer number."""
        return f"c{100_000 + self.number * 7}"

    def anonymous_id(self, device: int) -> str:
        """Return what the browser SDK calls a device of this person."""
        return stable_id(self.seed, "device", self.number, device)


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("ı", "i").replace("ø", "o").replace("ß", "ss"))
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha()).lower()


def _mail(dice: random.Random, first: str, last: str, number: int) -> str:
    forms = (
        f"{_ascii(first)}.{_ascii(last)}",
        f"{_ascii(first)[0]}.{_ascii(last)}",
        f"{_ascii(first)}{number % 100:02d}",
    )
    domain = dice.choices(vocabulary.MAIL_DOMAINS, vocabulary.MAIL_DOMAIN_WEIGHTS)[0]
    # The number keeps addresses apart without making them look numbered for most.
    return f"{dice.choices(forms, (5, 2, 3))[0]}.{number}@{domain}"


def _postcode(dice: random.Random, country: str, city: vocabulary.City) -> str:
    number = city.postcode + dice.randrange(0, 40)
    if country == "NL":
        return f"{number} {dice.choice('ABCDEGHJKLMNPRTVWXZ')}{dice.choice('ABCDEGHJKLMNPRTVWXZ')}"
    return f"{number:05d}" if country == "DE" else str(number)


def _phone(dice: random.Random, country: str) -> str:
    prefix = {"NL": "+316", "BE": "+324", "DE": "+4915"}[country]
    return f"{prefix}{dice.randrange(10_000_000, 99_999_999)}"


def make_person(seed: int, number: int, today: date) -> Person:
    """Return person `number` of the world with this seed; the same one every time."""
    dice = random.Random(f"{seed}:person:{number}")  # noqa: S311 - a world to look at, not a secret
    way = dice.choices(list(WAYS), [share for share, _sessions, _orders in WAYS.values()])[0]
    country = dice.choices(list(vocabulary.COUNTRY_WEIGHTS), list(vocabulary.COUNTRY_WEIGHTS.values()))[0]
    places = vocabulary.CITIES[country]
    city = dice.choices(places, [place.weight for place in places])[0]
    first, last = (
        dice.choice(vocabulary.FIRST_NAMES[country]),
        dice.choice(vocabulary.LAST_NAMES[country]),
    )
    devices = dice.choices((1, 2, 3), (55, 35, 10) if way != "visitor" else (100, 0, 0))[0]
    age = int(dice.triangular(19, 78, 41))
    return Person(
        number=number,
        seed=seed,
        way=way,
        first_name=first,
        last_name=last,
        email=_mail(dice, first, last, number),
        phone=_phone(dice, country) if dice.random() < 0.35 else "",
        country=country,
        city=city.name,
        postcode=_postcode(dice, country, city),
        language=city.language,
        birthday=date(today.year - age, dice.randrange(1, 13), dice.randrange(1, 29)).isoformat()
        if dice.random() < 0.6
        else "",
        lapsed=dice.random() < 0.3,
        devices=tuple(dice.choices(vocabulary.DEVICES, [device.weight for device in vocabulary.DEVICES], k=devices)),
        answers={purpose: dice.choices(ANSWERS, weights)[0] for purpose, weights in ANSWER_WEIGHTS.items()},
    )
