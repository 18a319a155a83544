"""The wizard in a real browser, from the dropped file to the undo, by the means a marketer has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.urls import reverse
from playwright.sync_api import Page, expect

from profiles.importing.runner import run_imports
from profiles.models import Profile

ROWS = "".join(f"p{n}@example.org;Person {n};Utrecht\n" for n in range(40))


def test_the_wizard_from_file_to_undo(page_as: Callable[[str], Page], tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_bytes(f"E-mailadres;Naam;Plaats\n{ROWS}broken;Néé;Gent\n".encode("cp1252"))
    page = page_as("Marketer")
    page.goto(reverse("profiles:imports"))
    page.get_by_role("link", name="Import contacts").first.click()
    page.get_by_label("File of contacts").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Encoding")).to_have_value("cp1252")
    expect(page.get_by_label("Delimiter")).to_have_value(";")
    expect(page.get_by_label("Naam goes to")).to_have_value("trait")
    page.get_by_label("Trait name for Plaats").fill("home_town")
    page.get_by_role("button", name="Start the dry run").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    run_imports()
    expect(page.get_by_text("Nothing has been written to people")).to_be_visible()
    assert Profile.objects.count() == 0
    page.get_by_role("button", name="Commit…").click()
    expect(page.get_by_role("dialog")).to_contain_text("40 people are created and 0 are changed")
    page.get_by_role("dialog").get_by_role("button", name="Commit").click()
    run_imports()
    expect(page.get_by_text("All 41 rows were worked through")).to_be_visible()
    page.get_by_role("link", name="created").click()
    expect(page.get_by_role("cell", name="Home town: Utrecht").first).to_be_visible()
    assert Profile.objects.filter(traits__home_town="Utrecht").count() == 40
    page.go_back()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the rejected rows").click()
    assert "broken" in Path(download.value.path()).read_text(encoding="utf-8-sig")
    page.get_by_role("button", name="Undo…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Undo the import")).to_be_disabled()
    dialog.get_by_label("Type UNDO to go on").fill("UNDO")
    dialog.get_by_role("button", name="Undo the import").click()
    run_imports()
    expect(page.locator(".fact", has_text="People removed")).to_contain_text("40")
    assert Profile.objects.count() == 0


def test_the_mapping_fits_a_phone(page_as: Callable[[str], Page], tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text("email,name\nanna@example.org,Anna\n")
    page = page_as("Marketer")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(reverse("profiles:import_new"))
    page.get_by_label("File of contacts").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("button", name="Start the dry run")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
