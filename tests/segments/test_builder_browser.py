"""Build a segment by clicks in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from segments.models import Segment
from tests.segments.factories import event, happened, members, person, refresh_new, segment, trait


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
    refresh_new()
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


@pytest.mark.django_db(transaction=True)
def test_nothing_typed_or_pressed_while_the_tree_is_drawn_again_is_lost(page_as: Callable[[str], Page]) -> None:
    anna = person(traits={"country": "NL", "city": "Utrecht", "plan": "pro"})
    happened(anna, "Order Completed", total=80)
    parts = [trait("country", "is", "NL"), trait("city", "is", "Gent"), trait("plan", "is", "pro")]
    made = segment("Slow", {"type": "all", "children": parts})
    page = page_as("Marketer")
    page.goto(f"/segments/{made.slug}/edit/")
    expect(page.locator("#node-include-2-count")).to_have_text("1")
    held: list[Route] = []
    page.route("**/segments/builder/tree/", lambda route: route.continue_() if held else held.append(route))
    page.get_by_role("button", name="Remove this condition").first.click()
    city = page.locator("#node-include-1-value")
    city.fill("Utr")
    city.press_sequentially("echt")
    page.get_by_role("button", name="+ event").click()  # pressed while the first is still on its way
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#node-include-2-name")).to_be_visible()
    expect(page.locator("#node-include-0-key")).to_have_value("city")
    expect(page.locator("#node-include-0-value")).to_have_value("Utrecht")
    expect(page.locator("#node-include-1-value")).to_have_value("pro")
    expect(page.locator("#node-include-0-count")).to_have_text("")
    page.locator("#node-include-2-name").fill("Order Completed")
    expect(page.locator("#node-include-0-count")).to_have_text("1")


@pytest.mark.django_db(transaction=True)
def test_typing_goes_on_where_the_cursor_was(page_as: Callable[[str], Page]) -> None:
    person(traits={"country": "NL", "plan": "pro"})
    made = segment("Slow", {"type": "all", "children": [trait("country", "is", "NL"), trait("plan", "is", "pro")]})
    page = page_as("Marketer")
    page.goto(f"/segments/{made.slug}/edit/")
    held: list[Route] = []
    page.route("**/segments/builder/tree/", lambda route: held.append(route))
    page.locator("#node-include-0-operator").select_option("is_not")
    value = page.locator("#node-include-1-value")
    value.click()
    value.press("End")
    page.keyboard.type("mo")
    page.wait_for_function("document.querySelector('#node-include-1-value').value === 'promo'")
    held[0].continue_()
    page.wait_for_function("document.querySelector('#tree').matches(':not(.htmx-request, .htmx-swapping)')")
    expect(page.locator("#node-include-0-operator")).to_have_value("is_not")
    page.keyboard.type("tion")
    expect(value).to_be_focused()
    expect(value).to_have_value("promotion")


@pytest.mark.django_db(transaction=True)
def test_why_explains_the_draft_in_a_dialog(page_as: Callable[[str], Page]) -> None:
    person(traits={"country": "NL"}, name="Anna de Vries")
    person(traits={"country": "BE"}, name="Luc Janssens")
    made = segment("Dutch", trait("country", "is", "NL"))
    page = page_as("Marketer")
    page.goto(f"/segments/{made.slug}/edit/")
    page.locator("#node-include-0-value").fill("BE")
    expect(page.locator("#look")).to_contain_text("Luc Janssens")
    page.get_by_role("button", name="Why Luc Janssens").click()
    expect(page.get_by_role("dialog")).to_contain_text("whose country is BE")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Compare with saved").click()
    expect(page.get_by_role("dialog")).to_contain_text("+1")
