"""How old what a screen shows is: from an event's departure to the person and to the segment that it changes, with the
processes of `make run` beside a steady load.

Among the load every tenth of a second somebody new does the one thing that a segment asks for. A look at the database
every few hundredths of a second says when the event, and then the member, is there for others to see.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from bench.dataset import BASE_DIR, running_web
from bench.figures import Figure

PER_SECOND, BATCH, SECONDS = 1_000, 20, 30
PEOPLE = 5_000
SEGMENTS = int(os.environ.get("BENCH_FRESH_SEGMENTS", "6"))
LOOK = 0.03
EVENT = "Probe Answered"


@dataclass
class Probes:
    """When each probe left, and when it was first seen as an event and as a member (epoch seconds by number)."""

    sent: dict[int, float] = field(default_factory=dict)
    stored: dict[int, float] = field(default_factory=dict)
    member: dict[int, float] = field(default_factory=dict)

    def ages(self, seen: dict[int, float]) -> list[float]:
        """Return how long each took, sorted; one that never came counts as the time waited."""
        now = time.time()
        return sorted(seen.get(number, now) - at for number, at in self.sent.items())


def measure() -> Iterator[Figure]:
    """Yield the figures of freshness."""
    from profiles.services.sources import create_source

    _source, key = create_source(name="Bench freshness", kind="server")
    with running_web() as port, _workers():
        _post(port, key, [_event(0, name) for name in (EVENT, "Order Completed", "Product Viewed")])
        _wait_for_names()
        segment_id = _segments()
        probes, reached = _load(port, key, segment_id)
    note = f"{reached:,.0f} events/s in batches of {BATCH}, {SEGMENTS} segments, {len(probes.sent)} probes"
    for what, ages, budget in (
        ("an event to the person's page, p95", probes.ages(probes.stored), None),
        ("an event to the segment it changes, p95", probes.ages(probes.member), 2.0),
    ):
        middle, worst = ages[len(ages) // 2], ages[-1]
        yield Figure(
            what=what,
            value=ages[int(len(ages) * 0.95)],
            unit="s",
            budget=budget,
            lower_is_better=True,
            note=f"median {middle:.2f} s, worst {worst:.2f} s; {note}",
        )


def _wait_for_names() -> None:
    """Wait until the workers have stored what a rule may then ask for."""
    from profiles.models import CatalogueEntry

    end = time.time() + 60
    while not CatalogueEntry.objects.filter(scope="event", event=EVENT).exists():
        if time.time() > end:
            raise RuntimeError("the workers did not process the first events within 60 s")
        time.sleep(0.2)


def _segments() -> int:
    """Make the segments; return the one that probes enter."""
    from segments.membership import refresh_segment
    from segments.services import create_segment

    def did(name: str, times: int, days: int | None = None) -> dict[str, object]:
        window = {"kind": "last", "days": days} if days else {"kind": "ever"}
        return {"type": "event", "name": name, "count": "at_least", "times": times, "window": window}

    rules = [did(EVENT, 1)]
    rules += [did("Order Completed", times, 30) for times in (1, 2, 3, 5, 8)]
    rules += [did("Product Viewed", times, 7) for times in range(1, max(1, SEGMENTS - len(rules)) + 1)]
    made = []
    for number, rule in enumerate(rules[:SEGMENTS]):
        made.append(create_segment(name=f"Fresh {number}", rule={"include": rule, "exclude": None}).pk)
        refresh_segment(made[-1])
    return made[0]


@contextmanager
def _workers() -> Iterator[None]:
    """Run the workers and beat for as long as the block lasts."""
    started = [
        subprocess.Popen([sys.executable, "manage.py", "work", *kinds], cwd=BASE_DIR, env=dict(os.environ))
        for kinds in ([], ["beat"])
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


def _load(port: int, key: str, segment_id: int) -> tuple[Probes, float]:
    """Send the load and the probes; return when they were seen, and the events a second that were reached."""
    probes, done = Probes(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(probes, segment_id, done))
    watcher.start()
    started, sent, number = time.time(), 0, 0
    pause = BATCH / PER_SECOND
    while (now := time.time()) - started < SECONDS:
        body = [_event(random.randrange(PEOPLE), _name()) for _ in range(BATCH)]
        if int((now - started) * 10) > number:
            number += 1
            body.append(_event(PEOPLE + number, EVENT))
            probes.sent[number] = time.time()
        _post(port, key, body)
        sent += len(body)
        time.sleep(max(0.0, started + sent // BATCH * pause - time.time()))
    reached = sent / (time.time() - started)
    end = time.time() + 60
    while not probes.sent.keys() <= probes.member.keys() and time.time() < end:
        time.sleep(LOOK)
    done.set()
    watcher.join()
    return probes, reached


def _name() -> str:
    return "Order Completed" if random.random() < 0.2 else "Product Viewed"


def _event(person: int, name: str) -> dict[str, object]:
    return {
        "type": "track",
        "event": name,
        "userId": f"fresh-{person}",
        "properties": {"total": 20 + person % 80, "probe": person - PEOPLE},
    }


def _post(port: int, key: str, events: list[dict[str, object]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    login = base64.b64encode(f"{key}:".encode()).decode()
    connection.request("POST", "/v1/batch", json.dumps({"batch": events}), {"Authorization": f"Basic {login}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the collector answered {answer.status}")


_STORED = """
SELECT (properties->>'probe')::int FROM profiles_interaction
WHERE name = %s AND occurred_at > now() - interval '1 hour' AND (properties->>'probe')::int > %s
"""
_MEMBERS = """
SELECT (i.value::text) FROM segments_membership m
JOIN profiles_identifier i ON i.profile_id = m.profile_id AND i.kind = 'user_id'
WHERE m.segment_id = %s
"""


def _watch(probes: Probes, segment_id: int, done: threading.Event) -> None:
    from cdp.embedded.postgres import database_url

    with psycopg.connect(database_url(BASE_DIR / os.environ["VAR_DIR"]), autocommit=True) as connection:
        while not done.is_set():
            seen = [row[0] for row in connection.execute(_STORED, [EVENT, 0])]
            now = time.time()
            for number in seen:
                probes.stored.setdefault(number, now)
            members = [row[0] for row in connection.execute(_MEMBERS, [segment_id])]
            now = time.time()
            for value in members:
                probes.member.setdefault(int(value.removeprefix("fresh-")) - PEOPLE, now)
            time.sleep(LOOK)
