"""In a real browser, on a phone: a person unsubscribes, and the privacy officer sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from consent.links import make_token
from consent.services import add_text
from tests.consent.factories import person, purpose, say

Sign = Callable[[str], Page]


def test_unsubscribe_is_seen_in_the_log(page: Page, page_as: Sign) -> None:
    """Link, button, preferences; then the log with its evidence. No script, no cookie needed on the way."""
    anna, newsletter = person(display_name="Anna de Vries"), purpose(channels=["email", "sms"])
    text = add_text(purpose_id=newsletter.pk, text="Yes, send me the Thursday letter", actor="test")
    say(anna, newsletter, "given", text=text)
    token = make_token(profile_id=anna.pk, purpose_id=newsletter.pk, channel="email", reference="delivery:12:345")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/u/{token}/")
    page.get_by_role("button", name="Stop these messages").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You will get no more of these messages")
    page.get_by_role("link", name="Choose what you do want").click()
    expect(page.get_by_text("Yes, send me the Thursday letter")).to_be_visible()
    expect(page.get_by_label("E-mail")).not_to_be_checked()
    page.get_by_label("Text message").check()
    page.get_by_role("button", name="Save my choice").click()
    expect(page.get_by_role("status")).to_contain_text("confirm")
    officer = page_as("Privacy officer")
    officer.set_viewport_size({"width": 1280, "height": 900})
    officer.goto("/privacy/log/")
    officer.get_by_label("Said", exact=True).select_option("withdrawn")
    row = officer.get_by_role("row").filter(has_text="Anna de Vries")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("withdrawn")
    row.get_by_role("link").first.click()
    expect(officer.get_by_text("delivery:12:345").first).to_be_visible()
    expect(officer.get_by_text("verified")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_their_screen(page_as: Sign, width: int) -> None:
    """No page of the privacy group is wider than the screen."""
    anna, newsletter = person(display_name="Anna de Vries"), purpose()
    record = say(anna, newsletter, "withdrawn", method="one_click", reference="delivery:12:345")
    officer = page_as("Privacy officer")
    officer.set_viewport_size({"width": width, "height": 800})
    for path in (
        "/privacy/",
        "/privacy/log/",
        f"/privacy/log/{record.pk}/",
        "/privacy/purposes/",
        "/privacy/purposes/newsletter/",
        "/privacy/suppression/",
        f"/privacy/people/{anna.uuid}/record/",
        f"/privacy/people/{anna.uuid}/erase/",
        f"/people/{anna.uuid}/",
    ):
        officer.goto(path)
        wide = officer.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px wider than {width}"
