"""Bodies are read under deadlines and a budget; when that is spent, the slowest makes room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cdp.common.request_bodies import SMALL, BodyRefused, Budget, Patience, Receive
from tests import asynchronous

LONG = Patience(total=60, pause=60)


def sender(*pieces: bytes, then: str = "end") -> Receive:
    """Return what sends the pieces, then ends, hangs up or falls silent."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or then != "end"}
        if then == "hang up":
            return {"type": "http.disconnect"}
        await asyncio.sleep(60)
        raise AssertionError

    return receive


async def read(budget: Budget, receive: Receive, *, cap: int = 10**6, patience: Patience = LONG) -> bytes:
    with budget.reading() as reading:
        return await reading.whole(receive, cap=cap, patience=patience)


@pytest.mark.parametrize(
    ("receive", "patience", "reason"),
    [
        (sender(b"x" * 11), LONG, "too_large"),
        (sender(b"x" * 6, b"x" * 6), LONG, "too_large"),
        (sender(b"x", then="hang up"), LONG, "broken_off"),
        (sender(b"x", then="silence"), Patience(total=60, pause=0.05), "too_slow"),
        (sender(b"x", then="silence"), Patience(total=0.05, pause=60), "too_slow"),
        (sender(then="silence"), Patience(total=0.05), "too_slow"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(receive: Receive, patience: Patience, reason: str) -> None:
    budget = Budget(max_bytes=1000, max_bodies=5)
    with pytest.raises(BodyRefused) as refused:
        asynchronous.run(read(budget, receive, cap=10, patience=patience))
    assert refused.value.reason == reason
    assert budget.bytes == 0


def test_a_body_up_to_the_cap_is_put_together() -> None:
    assert (
        asynchronous.run(read(Budget(max_bytes=10, max_bodies=1), sender(b"12345", b"67890"), cap=10)) == b"1234567890"
    )


@pytest.mark.parametrize("budget", [Budget(max_bytes=250, max_bodies=99), Budget(max_bytes=10**6, max_bodies=2)])
def test_slow_bodies_push_out_the_slowest_and_never_a_newcomer(budget: Budget) -> None:
    async def run() -> list[str]:
        outcomes: list[str] = []

        async def slow(name: str) -> None:
            try:
                await read(budget, sender(b"x" * 100, then="silence"))
            except BodyRefused as refused:
                outcomes.append(f"{name} {refused.reason}")

        tasks = []
        for name in "abcd":
            tasks.append(asyncio.create_task(slow(name)))
            await asyncio.sleep(0.02)
        assert await read(budget, sender(b"y" * 100, b"y")) == b"y" * 100 + b"y"
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return outcomes

    assert asynchronous.run(run()) == ["a busy", "b busy", "c busy"]
    assert budget.bytes == 0


def test_what_is_whole_is_not_given_up_and_keeps_its_room_until_it_is_answered() -> None:
    async def run() -> None:
        budget = Budget(max_bytes=3 * SMALL, max_bodies=9)
        large = b"x" * (2 * SMALL)
        with budget.reading() as first:
            assert await first.whole(sender(large), cap=10**9, patience=LONG) == large
            with pytest.raises(BodyRefused, match="busy"):
                await read(budget, sender(large), cap=10**9)
            assert await read(budget, sender(b"small")) == b"small"
        assert await read(budget, sender(large), cap=10**9) == large

    asynchronous.run(run())
