"""Threads are given in turn: who asks much waits for itself."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.web.pools import Busy, FairQueue, ThreadPool, fair_address
from cdp.web.routes import Pool
from tests import asynchronous


def test_addresses_take_turns_and_each_keeps_its_order() -> None:
    queue: FairQueue[str] = FairQueue(10)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert queue.put(item[0], item) is None
    assert [queue.pop() for _ in range(7)] == ["a1", "b1", "c1", "a2", "b2", "a3", None]


def test_the_last_of_who_has_most_makes_room() -> None:
    queue: FairQueue[str] = FairQueue(3)
    for item in ("a1", "a2", "b1"):
        queue.put(item[0], item)
    assert queue.put("c", "c1") == "a2"
    assert queue.put("d", "d1") == "d1", "nobody has more than the newcomer"
    assert [queue.pop() for _ in range(3)] == ["a1", "b1", "c1"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60), st.integers(1, 6))
def test_nobody_is_lost_and_none_waits_for_more_than_a_round(steps: list[tuple[str, bool]], size: int) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue(size)
    waiting: list[tuple[str, int]] = []
    for number, (address, takes) in enumerate(steps):
        if takes:
            taken = queue.pop()
            if waiting:
                assert taken is not None
                assert taken == next(item for item in waiting if item[0] == taken[0]), "the oldest of its address"
                waiting.remove(taken)
            else:
                assert taken is None
        else:
            waiting.append((address, number))
            if (leaves := queue.put(address, (address, number))) is not None:
                most = max(Counter(name for name, _ in waiting).values())
                assert sum(name == leaves[0] for name, _ in waiting) == most
                waiting.remove(leaves)
        assert len(queue) == len(waiting) <= size


def test_more_than_may_wait_are_told_so_and_the_threads_go_on() -> None:
    async def run() -> tuple[int, int]:
        pool = ThreadPool(Pool("test", threads=2, waiting=3))
        gate = threading.Event()
        asked = [asyncio.create_task(pool.run(f"10.0.0.{n}", gate.wait)) for n in range(9)]
        await asyncio.sleep(0.1)
        refused = sum(one.done() for one in asked)
        gate.set()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert await pool.run("", lambda: 1) == 1
        assert pool._free == 2
        return refused, sum(isinstance(result, Busy) for result in results)

    assert asynchronous.run(run()) == (4, 4)


def test_a_request_that_is_given_up_while_it_waits_leaves_its_turn_to_others() -> None:
    async def run() -> int:
        pool = ThreadPool(Pool("test", threads=1, waiting=9))
        gate = threading.Event()
        first, second, third = (asyncio.create_task(pool.run("", gate.wait)) for _ in range(3))
        await asyncio.sleep(0.05)
        second.cancel()
        gate.set()
        await asyncio.gather(first, third)
        return pool._free

    assert asynchronous.run(run()) == 1


@pytest.mark.parametrize(
    ("client", "address"),
    [(("203.0.113.7", 1), "203.0.113.7"), (("2001:db8:1:2:3::4", 1), "2001:db8:1:2"), (None, "")],
)
def test_a_network_of_one_customer_takes_one_turn(client: tuple[str, int] | None, address: str) -> None:
    assert fair_address(client) == address
