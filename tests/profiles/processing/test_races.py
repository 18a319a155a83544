"""Invariant 7 attacked with real threads: whatever order and company messages are processed in, the same people come
out as when one worker takes them one after the other.
"""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import pytest
from django.db import connections

from profiles.processing.drain import drain_inbox
from tests.profiles.processing.inbox import identify, put, source, track, world

WORKERS = 4


def messages(seed: int, mark: str) -> list[list[dict[str, Any]]]:
    """Return batches about a few people who share devices and change addresses; every name begins with `mark`."""
    chance = random.Random(seed)
    batches = []
    for number in range(24):
        batch = []
        for place in range(chance.randint(1, 4)):
            key, minute = f"{mark}-{number}-{place}", chance.randint(0, 500)
            ids: dict[str, Any] = {}
            if chance.random() < 0.6:
                ids["userId"] = f"{mark}u{chance.randint(1, 4)}"
            if not ids or chance.random() < 0.7:
                ids["anonymousId"] = f"{mark}device{chance.randint(1, 6)}"
            if chance.random() < 0.5:
                traits = {"plan": chance.choice(["pro", "free"]), "city": chance.choice(["Gent", "Ede"])}
                if chance.random() < 0.4:
                    traits["email"] = f"{mark}{chance.randint(1, 5)}@shop.example"
                batch.append(identify(key, minute, traits=traits, **ids))
            else:
                batch.append(track(key, "Seen", minute, **ids))
        batches.append(batch)
    return batches


def people(mark: str) -> list[str]:
    """Return everybody whose names begin with `mark`, without it."""
    found = [json.dumps(item, default=str, sort_keys=True) for item in world()]
    return sorted(text.replace(mark, "") for text in found if mark in text)


def drain_side_by_side() -> None:
    """Drain the inbox with several workers at once, until it is empty."""
    faults: list[BaseException] = []

    def work() -> None:
        try:
            drain_inbox(seconds=30)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            faults.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not faults, faults
    drain_inbox(seconds=30)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(4))
def test_workers_side_by_side_make_the_same_people_as_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles.processing.drain.MAX_BLOCK_ROWS", 2)  # many small blocks meet more often
    trusted, public = source(), source("browser")
    for mark in ("serial", "beside"):
        batches = messages(seed, mark)
        order = list(range(len(batches)))
        if mark == "beside":
            random.Random(seed + 1).shuffle(order)
        for number in order:
            put(trusted if number % 3 else public, batches[number])
            if mark == "serial":
                drain_inbox(seconds=30)
        drain_side_by_side()
    assert people("serial") == people("beside")
    assert len(people("serial")) > 2
