"""A mail server that hangs, limits or loses connections: its own message suffers, and nobody else (F2, F9, F22)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from campaigns.checks import forecast_of, needs_confirmation
from campaigns.models import Campaign, Delivery, SendQueue
from campaigns.report import report_of
from campaigns.sending import lines, verdicts, worker
from campaigns.sending.drain import CONNECTIONS, drain_sends
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import resume_campaign, schedule_campaign
from campaigns.smtp import Patience
from tests.campaigns.factories import campaign, readers
from tests.campaigns.runs import outcomes, run
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db(transaction=True)
STUCK = 1.0  # seconds that stand for ten


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch, sink: Sink) -> Iterator[None]:
    """Let a message count as hanging soon; and end what hangs after the test."""
    monkeypatch.setattr(lines, "STUCK_SECONDS", STUCK)
    monkeypatch.setattr(worker, "BLOCK", 10)  # so that every connection finds something to send
    yield
    settle(sink)


def settle(sink: Sink) -> None:
    """Let the server hang up on what hangs, and wait until the results are written."""
    sink.let_go()
    for line in list(lines._alive):
        line.join(10)


def begin(*rows: Campaign) -> None:
    """Schedule drafts for now and start them."""
    for row in rows:
        schedule_campaign(campaign_id=row.pk, actor=None, confirm=needs_confirmation(forecast_of(row)) or None)
    start_due_campaigns()


def drain() -> None:
    """Send until nothing is due that can be sent now."""
    while drain_sends(seconds=20):
        pass


def test_eight_hanging_messages_keep_their_own_rows_and_no_others(sink: Sink) -> None:
    news = purpose()
    bad = [
        campaign(*readers(4, news, prefix=f"hang-{n}"), *readers(30, news, prefix=f"fine-{n}"), of=news)
        for n in range(2)
    ]
    other = campaign(*readers(20, news, prefix="other"), of=news, name="Another")
    begin(*bad, other)
    drain()
    other.refresh_from_db()
    assert other.status == "done" and report_of(other).tally.of("sent") == 20
    assert all(line.sender.stuck for line in lines._alive)  # the drain is over, and they hang still
    assert SendQueue.objects.filter(phase="claimed").count() == 0
    for _number in range(2):  # the hanging ones stand first in the queue: the campaigns wait, and try with one message
        Campaign.objects.filter(status="sending").update(hold_until="2026-01-01T00:00Z")
        drain()
    assert len(lines._alive) == 8
    settle(sink)
    drain()
    for row in bad:
        row.refresh_from_db()
        assert row.status == "done" and row.trouble_count == 0 and not row.pause_code and report_of(row).adds_up
        assert report_of(row).tally.of("sent") == 30 and report_of(row).tally.of("unknown") == 4
    assert set(sink.counts.values()) == {1}


def test_messages_that_hang_now_and_then_are_unknown_and_everybody_else_gets_the_mail(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "PATIENCE", Patience(dot=3))
    news = purpose()
    people = [readers(1, news, prefix=f"hang-{n}" if n % 25 == 24 else f"fine-{n}")[0] for n in range(75)]
    row = campaign(*people, of=news)
    begin(row)
    drain()
    assert report_of(row).tally.of("sent") == 72 and lines._alive
    for line in list(lines._alive):
        line.join(10)
    drain()
    row.refresh_from_db()
    assert row.status == "done" and row.trouble_count == 0 and not row.pause_code and report_of(row).adds_up
    assert {reason for name, reason in outcomes(row).items() if name.startswith("hang")} == {("unknown", "no_answer")}
    assert set(sink.counts.values()) == {1} and len(sink.counts) == 75


def test_a_server_that_answers_nothing_any_more_holds_the_campaign_with_the_reason(
    sink: Sink, admin_client: Client
) -> None:
    news = purpose()
    row = campaign(*readers(60, news), of=news)
    sink.hang_all = True
    begin(row)
    drain()
    row.refresh_from_db()
    assert row.status == "sending" and row.trouble_count == 1 and row.pause_code == "hold_silent"
    page = admin_client.get(f"/campaigns/{row.pk}/").content.decode()
    assert "does not answer" in page and "one message at a time" in page
    at_risk = CONNECTIONS + verdicts.HANGS
    assert SendQueue.objects.filter(phase="handing_over").count() <= at_risk
    assert SendQueue.objects.filter(phase="claimed").count() == 0
    settle(sink)
    # Each further try risks one message, until a person is asked.
    for number in range(2, verdicts.HOLDS + 1):
        Campaign.objects.filter(pk=row.pk).update(hold_until="2026-01-01T00:00Z")
        drain()
        settle(sink)
        row.refresh_from_db()
        assert row.status == ("paused" if number == verdicts.HOLDS else "sending")
    assert "does not answer" in row.pause_label and report_of(row).adds_up
    lost = report_of(row).tally.of("unknown")
    assert lost == len(sink.mails) <= at_risk + verdicts.HOLDS
    sink.hang_all = False
    resume_campaign(campaign_id=row.pk)
    row = run(row)
    assert row.status == "done" and report_of(row).tally.of("sent") == 60 - lost
    assert set(sink.counts.values()) == {1}


def test_one_that_hangs_before_the_dot_is_tried_again_later(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE", Patience(greeting=1))
    news = purpose()
    sink.banner = ""
    sink.most_connections = 0
    row = campaign(*readers(3, news), of=news)
    row = run(row)
    assert row.status == "sending" and row.pause_code == "hold_unreachable"
    assert set(outcomes(row).values()) == {("pending", "")}


def test_a_limit_of_messages_per_connection_is_no_trouble(sink: Sink) -> None:
    news = purpose()
    sink.per_connection = 3
    row = run(campaign(*readers(60, news), of=news))
    assert row.status == "done" and row.trouble_count == 0
    assert set(sink.counts.values()) == {1} and len(sink.counts) == 60
    assert set(Delivery.objects.of_campaign(row.pk).values_list("attempts", flat=True)) == {1}


def test_a_limit_of_connections_is_no_trouble(sink: Sink) -> None:
    news = purpose()
    sink.most_connections, sink.delay = 1, 0.01
    row = run(campaign(*readers(60, news), of=news))
    assert row.status == "done" and row.trouble_count == 0 and sink.turned_away
    assert set(sink.counts.values()) == {1} and len(sink.counts) == 60


def test_a_result_survives_the_loss_of_every_database_connection(sink: Sink) -> None:
    news = purpose()
    row = campaign(*readers(40, news), of=news)
    cut: list[str] = []
    one_at_a_time = threading.Lock()  # or one thread of the mail server ends the connection of another

    def restart(recipient: str) -> None:
        # As a restart of PostgreSQL does: every connection but this one ends while mails are on their way.
        with one_at_a_time:
            if len(sink.mails) % 10 == 0 and len(cut) < 3:
                cut.append(recipient)
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                connection.close()

    sink.on_store.append(restart)
    begin(row)
    connection.close()
    for _number in range(5):
        if not drain_sends(seconds=20):
            break
    row.refresh_from_db()
    assert len(cut) == 3
    assert row.status == "done" and report_of(row).tally.of("sent") == 40, outcomes(row)
    assert set(sink.counts.values()) == {1}
