"""The page: what is kept how long, a shorter period only after its consequences were seen, all of it noted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from cdp.common.errors import CdpError
from cdp.common.models import AccessLog, RetentionPeriod, RetentionRun
from cdp.common.retention import kept_data, period_of, retention
from cdp.retention.services import set_period
from profiles.models import RejectedMessage
from tests.profiles.processing.inbox import source
from tests.queues.running import run_scheduled

pytestmark = pytest.mark.django_db
ADDRESS = "/privacy/retention/"


def test_every_class_stands_on_the_page_with_what_was_done(client_as: Callable[[str], Client]) -> None:
    run_scheduled("cdp.run_retention")
    page = client_as("Privacy officer").get(ADDRESS)
    text = page.content.decode()
    for data in [*retention, *kept_data]:
        assert str(data.label) in text
    lines = {line.name: line for group in page.context["groups"] for line in group["lines"]}
    assert lines["message_ids"].last.finished_at is not None
    assert lines["retention_runs"].next_removal.date() > timezone.now().date() + timedelta(days=790)
    assert not page.context["problems"]


def test_only_officers_and_administrators_see_it(client_as: Callable[[str], Client], client: Client) -> None:
    for role, status in (("Privacy officer", 200), ("Administrator", 200), ("Marketer", 403), ("Analyst", 403)):
        assert client_as(role).get(ADDRESS).status_code == status
        assert client_as(role).get(f"{ADDRESS}raw_bodies/").status_code == status
    assert client.get(ADDRESS).status_code == 302
    assert client_as("Administrator").get(f"{ADDRESS}nothing/").status_code == 404
    assert client_as("Administrator").get(f"{ADDRESS}permissions/").status_code == 404  # set per purpose


def test_a_shorter_period_tells_first_what_goes_and_is_noted(client_as: Callable[[str], Client]) -> None:
    origin = source()
    for age in (10, 20, 80):
        at = timezone.now() - timedelta(days=age)
        RejectedMessage.objects.create(source=origin, received_at=at, raw_id=1, code="erased")
    officer, address = client_as("Privacy officer"), f"{ADDRESS}rejected_messages/"
    page = officer.post(address, {"days": "15"})
    assert page.context["consequences"]["waiting"] == 2 and b"2 are past their time now" in page.content
    assert period_of("rejected_messages") == 90
    assert officer.post(address, {"days": "14", "agreed": "15"}).context["consequences"] is not None
    assert officer.post(address, {"days": "15", "agreed": "15"}).status_code == 302
    assert period_of("rejected_messages") == 15
    note = AccessLog.objects.get(action="retention.changed")
    assert (note.object_id, note.detail, note.actor_label) == (
        "rejected_messages", {"from_days": 90, "to_days": 15}, "privacy_officer",
    )  # fmt: skip
    run_scheduled("cdp.run_retention")
    assert RejectedMessage.objects.count() == 1
    page = officer.get(address)
    assert page.context["runs"][0].removed == 2 and b"privacy_officer" in page.content
    assert officer.post(address, {"days": "60"}).status_code == 302  # longer: nothing to warn of
    assert period_of("rejected_messages") == 60


def test_limits_hold(client_as: Callable[[str], Client]) -> None:
    officer = client_as("Administrator")
    for days in ("", "1", "401", "-3", "x"):
        page = officer.post(f"{ADDRESS}rejected_messages/", {"days": days, "agreed": days})
        assert page.status_code == 422, days
    assert not RetentionPeriod.objects.exists()
    with pytest.raises(CdpError, match="may not be kept without end"):
        set_period(name="rejected_messages", days=None)


def test_without_end_only_where_that_is_allowed(client_as: Callable[[str], Client]) -> None:
    officer = client_as("Administrator")
    assert officer.post(f"{ADDRESS}strangers/", {"endless": "on"}).status_code == 302
    assert period_of("strangers") is None
    run_scheduled("cdp.run_retention")
    assert not RetentionRun.objects.filter(name="strangers").exists()
    assert b"without end" in officer.get(ADDRESS).content
    assert officer.post(f"{ADDRESS}strangers/", {"days": "100"}).context["consequences"]["waiting"] == 0


def test_what_needs_another_is_not_kept_longer_than_that() -> None:
    set_period(name="message_ids", days=60)
    with pytest.raises(CdpError, match="Not longer than “Ids of messages”"):
        set_period(name="raw_bodies", days=61)
    set_period(name="raw_bodies", days=60)
    with pytest.raises(CdpError, match="Not shorter than “Messages as received”"):
        set_period(name="message_ids", days=59)
