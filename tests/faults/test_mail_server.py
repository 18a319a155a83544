"""A mail server that hangs holds up mails and nothing else; a sending worker that is killed sends nobody twice.

Covers E6, E12, F1 (one kind of work cannot take the place of another). What becomes of each mail: tests/campaigns.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.campaigns.sink import Sink
from tests.faults.installation import Installation, eventually, running_installation
from tests.faults.steps import run_step

pytestmark = pytest.mark.long
CONNECTIONS = 8  # of all workers to the mail server: none leaves more than one message of which nobody can know


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    found = Sink().start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def product(sink: Sink) -> Iterator[Installation]:
    with running_installation(EMAIL_URL=f"smtp://127.0.0.1:{sink.port}") as found:
        yield found


def outcomes(product: Installation, campaign: str) -> dict[str, int]:
    """Return how many of those who allow it have each outcome; all others are left out from the start."""
    return dict(
        product.query(
            "SELECT outcome, count(*) FROM campaigns_delivery WHERE outcome IN ('sent', 'unknown', 'failed')"
            f" AND campaign_id = {int(campaign)} GROUP BY outcome"
        )
    )


def processed(product: Installation, expected: int) -> bool:
    return product.stored() == expected


def more_than(sink: Sink, count: int) -> bool:
    return len(sink.mails) > count


def test_events_go_on_while_the_mail_server_hangs(product: Installation, sink: Sink) -> None:
    sink.hang_all = True
    campaign = run_step(product, "campaign", 60, "hung")
    eventually(lambda: sink.mails, "the mail server hangs with a message")
    for _round in range(5):
        expected = product.stored() + 100
        product.collect(100)
        eventually(partial(processed, product, expected), "events go on beside it", 30)
        assert not [name for name in product.ready()["down"] if name.startswith("worker")]
        time.sleep(2)
    sink.hang_all = False
    sink.let_go()
    eventually(lambda: sum(outcomes(product, campaign).values()) == 60, "everybody has an outcome", 400)
    assert max(sink.counts.values()) == 1


def test_a_killed_sender_sends_nobody_twice(product: Installation, sink: Sink) -> None:
    sink.mails.clear()
    sink.delay = 0.05
    people, kills, pid = 400, 0, 0
    campaign = run_step(product, "campaign", people, "killed")

    def done() -> bool:
        return sum(outcomes(product, campaign).values()) == people

    def went_on(got: int) -> bool:
        return len(sink.mails) > got or done()

    while kills < 6 and not done():
        pid = product.wait_replaced("sends", pid)
        eventually(partial(went_on, len(sink.mails)), "it sends")
        time.sleep(1)
        product.kill("sends", signal.SIGKILL)
        kills += 1
    assert kills
    eventually(done, "everybody has an outcome", 400)
    found = outcomes(product, campaign)
    assert max(sink.counts.values()) == 1
    assert found.get("unknown", 0) <= kills * CONNECTIONS
    assert len(sink.counts) >= found["sent"]


def test_a_sender_that_is_asked_to_stop_leaves_nothing_unknown(product: Installation, sink: Sink) -> None:
    sink.mails.clear()
    sink.delay = 0.2
    people, pid = 200, 0
    campaign = run_step(product, "campaign", people, "asked")
    for _time in range(3):
        pid = product.wait_replaced("sends", pid)
        eventually(partial(more_than, sink, len(sink.mails) + 5), "it sends")
        product.kill("sends", signal.SIGTERM)
    eventually(lambda: sum(outcomes(product, campaign).values()) == people, "everybody has an outcome", 400)
    assert outcomes(product, campaign) == {"sent": people}
    assert max(sink.counts.values()) == 1 and len(sink.counts) == people
    assert "does not stop; killing it" not in product.log()
