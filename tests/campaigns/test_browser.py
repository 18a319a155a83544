"""The marketer's way in a real browser: write, preview, plan, watch; and nothing in a mail that can act."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, Message
from tests.campaigns.factories import campaign, message, readers, segment
from tests.consent.factories import person, purpose

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_is_written_previewed_and_saved(page_as: Callable[[str], Page]) -> None:
    reader = person(
        "anna@klantbeeld.example",
        traits={"first_name": "Anna <b>"},
        display_name="Anna de Vries",
        search_text="anna de vries",
    )
    page = page_as("Marketer")
    page.goto("/messages/new/?starter=letter")
    page.get_by_label("Name", exact=True).fill("Spring letter")
    page.get_by_label("Subject").fill('Hello {{ person.first_name | default: "you" }}')
    expect(page.locator("#message-check")).to_contain_text("Hello Anna")
    page.get_by_label("Preview as").fill("anna de")
    page.get_by_role("button", name="Anna de Vries").click()
    expect(page.locator("#message-check")).to_contain_text("Hello Anna <b>")
    frame = page.frame_locator("#preview-frame")
    expect(frame.get_by_text("Hi Anna <b>,")).to_be_visible()
    page.get_by_label("Text", exact=True).fill("Hi\n\n{% if person.city %}")
    expect(page.locator("#message-check")).to_contain_text("line 3")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".errorlist, .field-error, .errors").first).to_contain_text("Line 3")
    page.get_by_label("Text", exact=True).fill("Hi {{ person.first_name | default: 'you' }}, **news**.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as version 1.")).to_be_visible()
    saved = Message.objects.get(name="Spring letter")
    assert saved.current_version is not None and "**news**" in saved.current_version.body
    assert reader.pk


def test_a_campaign_is_planned_for_a_time_and_taken_back(page_as: Callable[[str], Page]) -> None:
    news = purpose()
    people = readers(3, news)
    segment(*people, name="Lapsing customers")
    message("Autumn letter")
    page = page_as("Marketer")
    page.goto("/campaigns/new/")
    page.get_by_label("Name").fill("Autumn sale")
    page.locator("#id_segment").select_option(label="Lapsing customers")
    page.locator("#id_purpose").select_option(label="Newsletter")
    page.locator("#id_message").select_option(label="Autumn letter")
    page.get_by_role("button", name="Make the draft").click()
    expect(page.get_by_role("table", name="Forecast")).to_contain_text("will be sent")
    expect(page.frame_locator("#preview-frame").get_by_text("this is", exact=False)).to_be_visible()
    page.get_by_label("At a time").check()
    page.get_by_label("Day and time").fill("2028-03-26T02:30")
    page.get_by_role("button", name="Schedule 3 mails").click()
    expect(page.locator("#campaign-state")).to_have_text("scheduled")
    row = Campaign.objects.get(name="Autumn sale")
    assert row.scheduled_at is not None and row.scheduled_at.isoformat() == "2028-03-26T01:30:00+00:00"
    page.get_by_role("button", name="Take off the schedule").click()
    expect(page.locator("#campaign-state")).to_have_text("draft")


def test_nothing_in_a_preview_can_act(page_as: Callable[[str], Page], user_as: Callable[[str], User]) -> None:
    news = purpose()
    bad = person(
        "bad@klantbeeld.example", traits={"first_name": "<script>parent.hacked=1</script><img src=x onerror=alert(1)>"}
    )
    row = campaign(bad, of=news)
    page = page_as("Marketer")
    response = page.goto(f"/campaigns/{row.pk}/frame/?person={bad.uuid}")
    assert response is not None
    assert response.headers["content-security-policy"].startswith("sandbox")
    assert "<script>" not in response.text() and "<img src=x" not in response.text()
    assert page.evaluate("window.origin") == "null"
