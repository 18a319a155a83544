"""Believable messages for a measurement: several devices and events per person, some who log in."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

_PRODUCTS = ("Runner 3 Low", "Gravel 2", "City bag", "Rain jacket", "Bike lamp", "Wool socks")


def message(chance: random.Random, people: int, now: datetime) -> dict[str, Any]:
    """Return one message of a random person."""
    person = chance.randrange(people)
    at = (now - timedelta(seconds=chance.randrange(3 * 86_400))).isoformat()
    common: dict[str, Any] = {
        "messageId": str(uuid.UUID(int=chance.getrandbits(128))),
        "anonymousId": f"device-{person}-{chance.randrange(2)}",
        "timestamp": at,
        "context": {
            "library": {"name": "bench", "version": "1"},
            "page": {"path": "/shoes", "url": "https://shop.example/shoes"},
        },
    }
    if person % 3 == 0:
        common["userId"] = f"user-{person}"
    kind = chance.random()
    if kind < 0.1 and "userId" in common:
        traits = {"email": f"p{person}@example.org", "first_name": "Anna", "plan": chance.choice(("free", "pro"))}
        return {**common, "type": "identify", "traits": traits}
    if kind < 0.4:
        return {**common, "type": "page", "name": "Shoes", "properties": {"path": "/shoes", "title": "Shoes"}}
    product = {"product": chance.choice(_PRODUCTS), "price": chance.randrange(20, 200), "currency": "EUR"}
    return {
        **common,
        "type": "track",
        "event": chance.choice(("Product Viewed", "Product Added", "Order Completed")),
        "properties": product,
    }


def batches(count: int, size: int, *, people: int, seed: int = 1) -> list[bytes]:
    """Return `count` request bodies of `size` messages each."""
    chance = random.Random(seed)
    now = datetime.now(tz=UTC)
    return [
        json.dumps({"batch": [message(chance, people, now) for _ in range(size)], "sentAt": now.isoformat()}).encode()
        for _ in range(count)
    ]


def singles(count: int, *, people: int, seed: int = 2) -> list[bytes]:
    """Return `count` request bodies of one track call each."""
    chance = random.Random(seed)
    now = datetime.now(tz=UTC)
    bodies = []
    for _ in range(count):
        one = message(chance, people, now)
        one.pop("type")
        bodies.append(json.dumps({**one, "event": one.get("event", "Page"), "writeKey": ""}).encode())
    return bodies
