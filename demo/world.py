"""The whole world of the demo: everybody's calls, and the junk that every real site gets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.behaviour import BACKEND, WEB, Call, Life
from demo.people import make_person, stable_id

SEED = 2024
PEOPLE = 5000


def make_world(*, now: datetime, people: int = PEOPLE, seed: int = SEED) -> list[Call]:
    """Return every call in order of time. The same people and message ids on every day; times move with `now`."""
    calls: list[Call] = []
    for number in range(1, people + 1):
        calls.extend(Life(make_person(seed, number, now.date()), now).calls())
    calls.extend(_junk(calls, now, seed, max(1, people // 25)))
    calls.sort(key=lambda call: (call.at, call.message_id))
    return calls


def _junk(calls: list[Call], now: datetime, seed: int, amount: int) -> Iterator[Call]:
    """Yield what real sites send besides: bots, clocks gone wrong, shared test accounts, repeats, broken events."""
    dice = random.Random(f"{seed}:junk")  # noqa: S311 - a world to look at, not a secret
    web = [call for call in calls if call.source == WEB]
    for number in range(amount):
        at = now - timedelta(days=dice.randrange(1, 390), minutes=dice.randrange(1440))
        base: dict[str, Any] = {"message_id": stable_id(seed, "junk", number), "at": at}
        kind = number % 8
        if kind < 2:  # an SDK that sent the same message again
            yield dice.choice(web)
        elif kind == 2:  # a crawler that runs scripts
            yield Call(
                WEB,
                "page",
                anonymous_id=f"crawler-{number}",
                name="Home",
                context={"userAgent": "ExampleBot/2.1"},
                **base,
            )
        elif kind == 3:  # a tester's account, used by many
            yield Call(
                WEB,
                "identify",
                user_id="test",
                anonymous_id=f"tester-{number}",
                data={"email": "test@example.org"},
                **base,
            )
        elif kind == 4:  # a variable that nobody filled in
            yield Call(
                WEB,
                "track",
                user_id="undefined",
                name="Product Viewed",
                data={"product_id": None},
                **base,
            )
        elif kind == 5 and number < 24:  # a clock that is years ahead; few, for they count as seen today
            ahead = datetime(now.year + 9, 1, 1, tzinfo=UTC)
            yield Call(
                WEB,
                "track",
                anonymous_id=f"clock-{number}",
                name="Product Viewed",
                **{**base, "at": ahead},
            )
        elif kind == 6:  # an object put into itself until it ended
            nested: dict[str, Any] = {}
            for _ in range(20):
                nested = {"parent": nested}
            yield Call(
                WEB,
                "track",
                anonymous_id=f"nested-{number}",
                name="Product Viewed",
                data=nested,
                **base,
            )
        else:  # a message id that is no id
            broken = Call(BACKEND, "track", user_id="c100007", name="Stock Synced", **base)
            yield replace(broken, message_id=f"{base['message_id']}-" * 5)
