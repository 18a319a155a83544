"""A first day: what SDKs send becomes people, a file becomes people, clicks become a segment that follows events."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from playwright.sync_api import Page, expect

from profiles.services.sources import create_source
from profiles.views.snippets import snippets_for
from tests.scenarios.installation import Installation
from tests.scenarios.steps import find_person, fits, sdk, until
from tests.shop import shop

Sign = Callable[[str], Page]


def test_what_a_server_sends_is_a_person_within_moments(installation: Installation, page_as: Sign) -> None:
    with sdk(installation, "Till") as client:
        client.identify("till-1", {"email": "anna@till.example", "first_name": "Anna", "last_name": "de Vries"})
        client.track("till-1", "Order Completed", {"total": 89.5, "currency": "EUR", "order_id": "1001"})
        client.page("till-1", name="Helmets", properties={"url": "https://shop.example/helmets"})
    page = page_as("Marketer")
    page.goto("/people/?q=anna@till.example")
    until(page, lambda: page.get_by_role("link", name="Anna de Vries").count() == 1, "Anna in the list of people")
    fits(page, "people")
    page.get_by_role("link", name="Anna de Vries").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Anna de Vries")
    traits = page.get_by_role("region", name="Traits").or_(page.locator(".card", has_text="Traits")).first
    expect(traits).to_contain_text("Anna")
    identifiers = page.locator(".card", has=page.get_by_role("heading", name="Identifiers"))
    expect(identifiers).to_contain_text("till-1")
    expect(identifiers).to_contain_text("anna@till.example")
    timeline = page.locator("#timeline")
    expect(timeline).to_contain_text("Order Completed")
    expect(timeline).to_contain_text("Helmets")
    fits(page, "person")


def test_a_visitor_of_a_web_page_becomes_a_known_person(installation: Installation, page_as: Sign) -> None:
    source, key = create_source(name="Web shop", kind="browser")
    snippet = next(item.code for item in snippets_for(source, key) if item.slug == "browser")
    page = page_as("Marketer")
    with shop(
        f"<html><head>{snippet.replace(settings.SITE_URL, installation.url)}</head><title>Bells</title></html>"
    ) as url:
        page.goto(url)
        page.evaluate("analytics.track('Product Viewed', {name: 'Bell', price: 19.95})")
        page.evaluate("analytics.identify('web-1', {email: 'luc@web.example', first_name: 'Luc'})")
        with installation.api() as api:
            person = find_person(api, "luc@web.example")
    page.goto(f"/people/{person['id']}/")
    timeline = page.locator("#timeline")
    until(page, lambda: timeline.get_by_text("Product Viewed").count() > 0, "the visit before Luc said who he is")
    expect(timeline).to_contain_text("Page Viewed")
    expect(page.locator(".card", has=page.get_by_role("heading", name="Identifiers"))).to_contain_text("web-1")


def test_a_file_of_contacts_becomes_people(installation: Installation, page_as: Sign, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    rows = "".join(f"file{n}@file.example;Person {n};Utrecht\n" for n in range(300))
    file.write_bytes(f"E-mailadres;Naam;Plaats\n{rows}no address;Néé;Gent\n".encode("cp1252"))
    page = page_as("Marketer")
    page.goto("/imports/")
    page.get_by_role("link", name="Import contacts").first.click()
    fits(page, "import-new")
    page.get_by_label("File of contacts").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Naam goes to")).to_have_value("trait")
    page.get_by_label("Trait name for Plaats").fill("home_town")
    fits(page, "import-map")
    page.get_by_role("button", name="Start the dry run").click()
    expect(page.get_by_text("Nothing has been written to people")).to_be_visible(timeout=60_000)
    fits(page, "import-dry-run")
    with installation.api() as api:
        assert api.get("profiles/", params={"search": "file7@file.example"}).json()["results"] == []
    page.get_by_role("button", name="Commit…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("300 people are created and 0 are changed")
    dialog.get_by_role("button", name="Commit").click()
    expect(page.get_by_text("All 301 rows were worked through")).to_be_visible(timeout=60_000)
    fits(page, "import-result")
    page.goto("/people/?q=file7@file.example")
    page.get_by_role("link", name="Person 7").click()
    expect(page.get_by_text("Utrecht").first).to_be_visible()


def test_a_segment_built_by_clicks_follows_what_people_do(installation: Installation, page_as: Sign) -> None:
    with sdk(installation, "Segment shop") as client:
        for number, orders in ((1, 2), (2, 1), (3, 0)):
            user = f"buyer-{number}"
            traits = {"email": f"{user}@clicks.example", "first_name": f"Buyer{number}", "club": "cyclists"}
            client.identify(user, traits)
            for order in range(orders):
                client.track(user, "Bike Bought", {"total": 80 + order})
        client.flush()
        with installation.api() as api:
            for number in (1, 2, 3):
                find_person(api, f"buyer-{number}@clicks.example")
        page = page_as("Marketer")
        build_segment(page)
        page.locator(".page-actions").get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.goto("/segments/loyal-cyclists/members/")
        first, second = page.get_by_role("link", name="Buyer1"), page.get_by_role("link", name="Buyer2")
        until(page, lambda: first.count() == 1, "the first member")
        assert second.count() == 0
        client.track("buyer-2", "Bike Bought", {"total": 120})
        client.flush()
        until(page, lambda: second.count() == 1, "the second member, by the event that just came in")
    fits(page, "segment-members")
    page.get_by_role("row", name=re.compile("Buyer2")).get_by_role("link", name="why").click()
    fits(page, "segment-why")
    page.goto("/segments/loyal-cyclists/")
    expect(page.locator("#content, main").first).to_contain_text("Buyer2")
    fits(page, "segment")


def build_segment(page: Page) -> None:
    """Make a rule of a trait and a number of events in a window; look at count and sample."""
    page.goto("/segments/")
    page.get_by_role("link", name=re.compile("New segment|Build a segment")).first.click()
    page.get_by_label("Name").fill("Loyal cyclists")
    page.locator("#node-include-0-key").fill("club")
    page.locator("#node-include-0-key").press("Tab")
    page.locator("#node-include-0-value").fill("cyclists")
    expect(page.locator("#node-include-0-count")).to_have_text("3")
    page.get_by_role("button", name="+ event").click()
    page.locator("#node-include-1-name").fill("Bike Bought")
    page.locator("#node-include-1-times").fill("2")
    page.locator("#node-include-1-window").select_option("last")
    page.locator("#node-include-1-days").fill("30")
    expect(page.locator("#total-count")).to_have_text(re.compile(r"^1\b"))
    expect(page.locator("#look")).to_contain_text("Buyer1")
    fits(page, "segment-builder")
