"""Build a segment by clicks in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from segments import membership
from segments.models import Segment
from tests.segments.factories import event, happened, members, person, segment, trait


@pytest.mark.django_db(transaction=True)
def test_a_segment_is_built_by_clicks(page_as: Callable[[str], Page]) -> None:
    anna = person(traits={"country": "NL"}, name="Anna de Vries")
    luc = person(traits={"country": "BE"}, name="Luc Janssens")
    person(traits={"country": "DE"}, name="Max Weber")
    for profile in (anna, luc):
        happened(profile, "Order Completed", total=80)
    happened(anna, "Order Completed", total=90)
    page = page_as("Marketer")
    page.goto("/segments/")
    page.get_by_role("link", name="Build a segment").click()
    page.get_by_label("Name").fill("Dutch buyers")
    page.locator("#node-include-0-key").fill("country")
    page.locator("#node-include-0-key").press("Tab")
    page.locator("#node-include-0-operator").select_option("one_of")
    expect(page.get_by_placeholder("value, value")).to_be_visible()
    page.locator("#node-include-0-value").fill("NL, BE")
    expect(page.locator("#node-include-0-count")).to_have_text("2")
    page.get_by_role("button", name="+ event").click()
    page.locator("#node-include-1-name").fill("Order Completed")
    page.locator("#node-include-1-times").fill("2")
    expect(page.locator("#node-include-1-count")).to_have_text("1")
    expect(page.locator("#total-count")).to_have_text(re.compile(r"^1\b"))
    expect(page.locator("#look")).to_contain_text("Anna de Vries")
    expect(page.locator("#sentence")).to_contain_text("at least 2 times")
    page.locator("#node-include-1-times").fill("0")
    expect(page.locator("#node-include-1-errors")).to_contain_text("give 1 or more")
    page.locator("#node-include-1-times").fill("1")
    expect(page.locator("#node-include-1-count")).to_have_text("2")
    page.locator(".page-actions").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    made = Segment.objects.get()
    membership.refresh_new()
    assert members(made) == {anna.pk, luc.pk}


@pytest.mark.django_db(transaction=True)
def test_the_builder_fits_a_phone(page_as: Callable[[str], Page]) -> None:
    happened(person(traits={"country": "NL"}), "Order Completed", total=80)
    where = [{"key": "total", "operator": "gt", "value": 5}]
    made = segment(
        "Wide",
        {"type": "any", "children": [trait("country", "one_of", ["NL"]), event("Order Completed", where=where)]},
    )
    page = page_as("Marketer")
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"/segments/{made.slug}/edit/")
    expect(page.locator("#node-include-0-count")).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
