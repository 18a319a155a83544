"""Single sends around the sending itself: killed workers, two lanes, pages, timeline, retention, previews."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from campaigns.checks import checks_of
from campaigns.models import Campaign, CampaignKind, Delivery, Message, SendQueue
from campaigns.retention import blank_values, remove_decisions, survey_decisions, survey_values
from campaigns.sending.drain import CONNECTIONS, drain_sends
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import pause_campaign, schedule_campaign
from campaigns.services.single import Wanted, allow_single_sends, send_single
from cdp.common.retention import Position
from consent.models import Purpose
from profiles.models import Profile
from tests.campaigns.factories import campaign, message, readers
from tests.campaigns.sink import Sink
from tests.consent.factories import person, purpose
from tests.live import REPOSITORY, process_environment

pytestmark = pytest.mark.django_db
DRAIN = "import django; django.setup(); from campaigns.sending.drain import drain_sends; drain_sends()"
BODY = "Your order {{ data.order_number }}"


def note() -> Message:
    """Return a message that programs may send."""
    row = message("Order note", subject="Order {{ data.order_number }}", body=BODY)
    return allow_single_sends(message_id=row.pk, user=None)


def orders() -> Purpose:
    """Return a purpose that needs no permission."""
    return purpose("orders", basis="contract", is_marketing=False)


def asked(of: Message, why: Purpose, to: Profile, key: str) -> Delivery:
    """Ask for a send."""
    wanted = Wanted(message=of, purpose=why, profile_id=to.pk, data={"order_number": key}, key=key)
    return send_single(wanted)[0]


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_sends_none_twice_and_loses_none(settings: Any) -> None:
    sink = Sink(delay=0.05).start()
    of, why, people = note(), orders(), [person() for _number in range(5)]
    keys = [f"k{number}" for number in range(30)]
    for number, key in enumerate(keys):
        asked(of, why, people[number % 5], key)
    environment = {**process_environment(8183), "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}"}
    process = subprocess.Popen([sys.executable, "-c", DRAIN], cwd=REPOSITORY, env=environment)
    end = time.monotonic() + 90
    while len(sink.mails) < 8 and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    SendQueue.objects.filter(phase="handing_over").update(lease_until="2026-01-01T00:00Z")  # as time would
    settings.MAIL_SERVER = sink.server
    end = time.monotonic() + 90
    while SendQueue.objects.exists() and time.monotonic() < end:
        drain_sends(seconds=30)
    sink.stop()
    outcomes = list(Delivery.objects.values_list("outcome", flat=True))
    subjects = [subject_of(mail) for mail in sink.mails]
    assert len(outcomes) == len(keys) and set(outcomes) <= {"sent", "unknown"}
    assert outcomes.count("unknown") <= CONNECTIONS
    assert len(subjects) == len(set(subjects)) and len(subjects) >= outcomes.count("sent")


def subject_of(mail: tuple[str, bytes]) -> str:
    """Return the subject line of a mail."""
    return next(line for line in mail[1].decode().splitlines() if line.startswith("Subject:"))


@pytest.mark.django_db(transaction=True)
def test_a_single_send_overtakes_a_campaign_and_a_campaign_goes_on_beside_single_sends(settings: Any) -> None:
    sink = Sink(delay=0.1).start()
    settings.MAIL_SERVER = sink.server
    news, of, why = purpose(), note(), orders()
    row = campaign(*readers(100, news), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=100)
    start_due_campaigns()

    def drain() -> None:
        try:
            drain_sends(seconds=60)
        finally:
            connection.close()

    worker = threading.Thread(target=drain)
    worker.start()
    while len(sink.mails) < 8:
        time.sleep(0.01)
    asked(of, why, person(), "urgent")
    worker.join()
    subjects = [subject_of(mail) for mail in sink.mails]
    place = subjects.index("Subject: Order urgent")
    assert len(subjects) == 101 and place < 80, "it did not wait for the end of the campaign"
    sink.mails.clear()
    for number in range(60):
        asked(of, why, person(), f"k{number}")
    small = campaign(*readers(3, news, prefix="small"), of=news)
    schedule_campaign(campaign_id=small.pk, actor=None, confirm=3)
    start_due_campaigns()
    drain_sends(seconds=60)
    sink.stop()
    news_at = [place for place, mail in enumerate(sink.mails) if "Order" not in subject_of(mail)]
    assert len(sink.mails) == 63 and max(news_at) < 50, "it did not wait for the single sends"


def test_the_card_switches_shows_how_and_what_went(client_as: Callable[[str], Client]) -> None:
    marketer, row, why = client_as("Marketer"), message("Order note", body=BODY), orders()
    url = f"/messages/{row.pk}/"
    assert "Let programs send it" in marketer.get(url).content.decode()
    marketer.post(f"{url}single/", {"action": "allow"})
    row.refresh_from_db()
    assert row.single_sends_since is not None and str(row.single_sends_by) == "marketer"
    asked(row, why, person(display_name="Anna Bakker"), "k1")
    asked(row, why, person(None), "k2")
    page = marketer.get(url).content.decode()
    assert str(row.uuid) in page and "order_number" in page and "curl -X POST" in page
    assert "Anna Bakker" in page and "No mail address is known." in page
    assert "Anna Bakker" not in client_as("Analyst").get(url).content.decode()
    shared = Campaign.objects.get(kind=CampaignKind.SINGLE)
    pause_campaign(campaign_id=shared.pk)
    assert "Go on sending" in marketer.get(url).content.decode()
    marketer.post(f"{url}single/", {"action": "resume"})
    shared.refresh_from_db()
    assert shared.status == "sending"
    marketer.post(f"{url}single/", {"action": "stop"})
    assert set(Delivery.objects.values_list("outcome", flat=True)) == {"cancelled", "skipped"}
    assert client_as("Analyst").post(f"{url}single/", {"action": "allow"}).status_code == 403


def test_it_stands_on_the_timeline_and_has_a_page_and_no_campaign_page_shows_it(
    client_as: Callable[[str], Client],
) -> None:
    marketer, anna = client_as("Marketer"), person(display_name="Anna")
    sent = asked(note(), orders(), anna, "order-7")
    assert "Mail on its way: Order note" in marketer.get(f"/people/{anna.uuid}/").content.decode()
    page = marketer.get(f"/campaigns/{sent.campaign_id}/deliveries/{sent.uuid}/")
    assert page.status_code == 200 and "order-7" in page.content.decode()
    for path in ("", "forecast/", "progress/", "deliveries/"):
        assert marketer.get(f"/campaigns/{sent.campaign_id}/{path}").status_code == 404
    assert "Order note" not in marketer.get("/campaigns/").content.decode()
    assert "Order note" not in marketer.get("/").content.decode()


def test_a_campaign_does_not_go_with_a_message_that_needs_data() -> None:
    news = purpose()
    row = campaign(*readers(1, news), of=news, text=note())
    assert [(check.code, check.level) for check in checks_of(row, None) if check.code.startswith("message")] == [
        ("message_needs_data", "stop")
    ]


def test_a_preview_shows_the_names_of_what_is_given_along(client_as: Callable[[str], Client]) -> None:
    row = message("Order note", body=BODY)
    assert row.current_version is not None
    page = client_as("Marketer").get(f"/messages/frame/{row.current_version.pk}/").content.decode()
    assert "Your order order number" in page


def test_retention_takes_the_values_first_and_the_decisions_later() -> None:
    of, why, anna = note(), orders(), person()
    for number in range(5):
        asked(of, why, anna, f"k{number}")
    SendQueue.objects.all().delete()
    now = timezone.now()
    Delivery.objects.update(outcome="sent", finished_at=now, decided_at=now - timedelta(days=500))
    Delivery.objects.filter(occurrence="k4").update(decided_at=now - timedelta(days=1))
    assert survey_values(now - timedelta(days=400)).waiting == 4
    assert all_steps(blank_values, now - timedelta(days=400)) == 4
    assert Delivery.objects.filter(context={}).count() == 4
    assert survey_values(now - timedelta(days=400)).waiting == 0
    assert survey_decisions(now - timedelta(days=400)).waiting == 4
    assert all_steps(remove_decisions, now - timedelta(days=400)) == 4
    assert list(Delivery.objects.values_list("occurrence", flat=True)) == ["k4"]


def all_steps(remove: Callable[..., Any], before: Any) -> int:
    """Remove in batches of two; return how many rows went."""
    position: Position = {}
    removed = 0
    while True:
        step = remove(before, 2, position)
        removed += int(step.removed)
        if step.position is None:
            return removed
        position = step.position
