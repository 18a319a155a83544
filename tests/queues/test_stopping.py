"""A request to stop is heard between two items."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdp.common import queues
from cdp.common.queues import Run
from cdp.common.stopping import stop_requested


@pytest.fixture
def asked() -> Iterator[None]:
    stop_requested.set()
    yield
    stop_requested.clear()


def test_a_run_begins_nothing_after_the_process_was_asked_to_stop(asked: None) -> None:
    run = Run(queues.queues.get("inbox"), 0, 1, float("inf"))
    assert not run.goes_on
    stop_requested.clear()
    assert run.goes_on


@pytest.mark.django_db
def test_a_drain_ends_and_leaves_the_rest_to_the_next(asked: None) -> None:
    assert queues.drain("inbox") is True
