"""Probes answer whatever all others are at, and ask little."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cdp.web import probes
from cdp.web.probes import Probes
from tests import asynchronous


class Asked:
    """Django, as far as a probe sees it; it answers when the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.paths: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.paths.append(environ["PATH_INFO"])
        self.gate.wait()
        start_response("200 OK", [("Content-Type", "application/json")])
        return Body([b'{"status":"ok"}'])


class Body(list[bytes]):
    def close(self) -> None:
        return None


async def ask(found: Probes, path: str, method: str = "GET") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    assert await found({"path": path, "method": method}, send)
    return sent[0]["status"], sent[1]["body"]


def test_an_answer_is_good_for_a_second_and_one_asks_for_all() -> None:
    django = Asked()

    async def run() -> None:
        found = Probes(django, lambda: True)
        answers = await asyncio.gather(*(ask(found, "/readyz") for _ in range(50)))
        assert set(answers) == {(200, b'{"status":"ok"}')}
        assert await ask(found, "/healthz") == answers[0]
        assert await ask(found, "/readyz", "HEAD") == (200, b"")

    asynchronous.run(run())
    assert django.paths == ["/readyz", "/healthz"]


def test_a_database_that_hangs_is_down_and_livez_does_not_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 0.1)
    monkeypatch.setattr(probes, "GOOD_FOR", 0.0)
    django = Asked()
    django.gate.clear()

    async def run() -> None:
        found = Probes(django, lambda: True)
        for _time in range(3):
            status, body = await ask(found, "/healthz")
            assert (status, json.loads(body)["down"]) == (503, ["database"])
        assert (await ask(found, "/livez"))[0] == 200
        assert len(django.paths) == 1, "one thread waits, whoever asks"
        django.gate.set()
        await asyncio.sleep(0.2)
        assert (await ask(found, "/healthz"))[0] == 200

    asynchronous.run(run())


def test_livez_says_when_the_collector_is_dead() -> None:
    assert asynchronous.run(ask(Probes(Asked(), lambda: False), "/livez"))[0] == 503
