"""The sending process is killed while it sends: nobody twice, nobody lost, at most one unknown per connection."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from campaigns.models import Delivery, SendQueue
from campaigns.report import report_of
from campaigns.sending.drain import CONNECTIONS, drain_sends
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from tests.campaigns.factories import campaign, readers
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose
from tests.live import REPOSITORY, process_environment

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 60
DRAIN = "import django; django.setup(); from campaigns.sending.drain import drain_sends; drain_sends()"


def test_a_killed_process_sends_nobody_twice_and_loses_nobody(settings: pytest.FixtureRequest) -> None:
    sink = Sink(delay=0.05).start()
    news = purpose()
    row = campaign(*readers(PEOPLE, news), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=PEOPLE)
    start_due_campaigns()
    environment = {**process_environment(8180), "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"}
    killed = 0
    for _round in range(2):
        before = len(sink.mails)
        process = subprocess.Popen([sys.executable, "-c", DRAIN], cwd=REPOSITORY, env=environment)
        end = time.monotonic() + 60
        while len(sink.mails) < before + 8 and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
        SendQueue.objects.filter(phase="handing_over").update(lease_until="2026-01-01T00:00Z")  # as time would
    settings.MAIL_SERVER = sink.server  # type: ignore[attr-defined]
    end = time.monotonic() + 60
    while row.status != "done" and time.monotonic() < end:
        drain_sends(seconds=30)  # the server may take a moment to see that a session is gone
        row.refresh_from_db()
    tally = report_of(row).tally
    assert row.status == "done" and report_of(row).adds_up and report_of(row).total == PEOPLE
    assert set(sink.counts.values()) == {1}
    assert tally.of("unknown") <= killed * CONNECTIONS
    assert tally.of("sent") + tally.of("unknown") == PEOPLE
    got = set(sink.counts)
    from_ledger = {one.profile_id: one.outcome for one in Delivery.objects.of_campaign(row.pk)}
    assert len(got) >= tally.of("sent") and len(from_ledger) == PEOPLE
    sink.stop()
