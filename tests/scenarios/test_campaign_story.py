"""From a message to the proof: written, tried, planned, sent once to each who allowed it, unsubscribed, on record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import httpx
import pytest
from django.db import DatabaseError, connection, transaction
from playwright.sync_api import Page, expect

from campaigns.models import Delivery
from consent.models import ConsentRecord
from tests.scenarios.installation import Installation, eventually
from tests.scenarios.steps import find_person, fits, make_purpose, say, sdk, taken, until

Sign = Callable[[str], Page]
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
#: who is in the segment, and what they said: given, refused, withdrawn after given, nothing at all
READERS = {"ada": "given", "bea": "given", "cor": "given", "dik": "refused", "eva": "withdrawn", "fem": ""}
ALLOWING = {name for name, said in READERS.items() if said == "given"}
BODY = "Hi {{ person.first_name | default: 'you' }},\n\nthis is **news**. [Read on](https://shop.example/)"


def address(name: str) -> str:
    """Return the mail address of one of READERS."""
    return f"{name}@letter.example"


@dataclass
class Letter:
    """What the story made, by name."""

    campaign: str = "Spring letter"
    segment: str = "Letter readers"
    purpose: str = "Spring news"


def people_and_segment(installation: Installation, letter: Letter) -> None:
    """Let people come in by an SDK and say what they allow; make the segment of them all."""
    with sdk(installation, "Letter shop") as client:
        for name in READERS:
            client.identify(name, {"email": address(name), "first_name": name.title(), "letter": "yes"})
    with installation.api() as api:
        purpose = make_purpose(api, letter.purpose)
        for name, said in READERS.items():
            person = find_person(api, address(name))["id"]
            if said == "withdrawn":
                say(api, person, purpose, "given")
            if said:
                say(api, person, purpose, said)
        rule = {"include": {"type": "trait", "key": "letter", "operator": "is", "value": "yes"}, "exclude": None}
        segment = taken(api.post("segments/", json={"name": letter.segment, "rule": rule}), 201)
        at = f"segments/{segment['id']}/"
        eventually(lambda: taken(api.get(at))["member_count"] == len(READERS), "everybody is in the segment")


def write_the_message(page: Page) -> None:
    """Write, preview for a person, save and test."""
    page.goto("/messages/")
    page.get_by_role("link", name=re.compile("Write a message|New message")).first.click()
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_label("Subject").fill("{{ person.first_name | default: 'Hello' }}, it is spring")
    page.get_by_label("Text", exact=True).fill(BODY)
    page.get_by_label("Sender name").fill("Fiets & Bos")
    page.get_by_label("Sender address").fill("hello@shop.example")
    page.get_by_label("Preview as").fill("ada@letter")
    page.get_by_role("button", name="Ada").click()
    expect(page.locator("#message-check")).to_contain_text("Ada, it is spring")
    expect(page.frame_locator("#preview-frame").get_by_text("Hi Ada,")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as version 1.")).to_be_visible()
    fits(page, "message")


def plan_the_campaign(page: Page, letter: Letter) -> None:
    """Make the campaign, look at the forecast, and plan it for the next minute."""
    page.goto("/campaigns/new/")
    page.get_by_label("Name").fill(letter.campaign)
    page.locator("#id_segment").select_option(label=letter.segment)
    page.locator("#id_purpose").select_option(label=letter.purpose)
    page.locator("#id_message").select_option(label="Spring")
    fits(page, "campaign-new")
    page.get_by_role("button", name="Make the draft").click()
    forecast = page.get_by_role("table", name="Forecast")
    expect(forecast).to_contain_text("will be sent")
    for words in ("no consent", "withdrawn"):
        expect(forecast).to_contain_text(words)
    fits(page, "campaign-draft")
    at = datetime.now(AMSTERDAM) + timedelta(seconds=65)
    page.get_by_label("At a time").check()
    page.get_by_label("Day and time").fill(at.strftime("%Y-%m-%dT%H:%M"))
    confirm = page.locator("#id_confirm")
    if confirm.count():
        confirm.fill(str(len(ALLOWING)))
    page.get_by_role("button", name=f"Schedule {len(ALLOWING)} mails").click()
    expect(page.locator("#campaign-state")).to_have_text("scheduled")
    fits(page, "campaign-scheduled")


def test_a_letter_from_the_first_word_to_the_proof(installation: Installation, page_as: Sign) -> None:
    letter = Letter()
    people_and_segment(installation, letter)
    page = page_as("Marketer")
    write_the_message(page)
    page.get_by_role("button", name="Send a test to me").click()
    test_mail = eventually(lambda: installation.mails_to("marketer@klantbeeld.example"), "the test mail")[0]
    assert test_mail["X-Klantbeeld-Test"] == "yes"
    plan_the_campaign(page, letter)
    assert all(not installation.mails_to(address(name)) for name in READERS), "the minute has not come"
    state = page.locator("#campaign-state")
    until(page, lambda: state.inner_text() == "done", "beat started it and everybody was dealt with")
    mails = {name: installation.mails_to(address(name)) for name in READERS}
    assert {name for name, got in mails.items() if len(got) == 1} == ALLOWING
    assert {name for name, got in mails.items() if not got} == set(READERS) - ALLOWING
    the_report_adds_up(page, letter)
    mail = mails["ada"][0]
    assert mail["Subject"] == "Ada, it is spring"
    token_url = unsubscribe_by_one_click(mail)
    assert token_url.startswith(installation.url)
    the_officer_sees_it(installation, page_as("Privacy officer"), letter)


def the_report_adds_up(page: Page, letter: Letter) -> None:
    """Read the report of the campaign's page and the decisions behind it."""
    expect(page.get_by_text("Adds up: everybody of the audience stands in exactly one line.")).to_be_visible()
    report = page.get_by_role("table", name="What happened")
    for words, people in (("audience", 6), ("withdrawn", 1), ("no consent", 2), ("sent", 3)):
        expect(report.get_by_role("row", name=re.compile(rf"{words}\D+{people}\b")).first).to_be_visible()
    fits(page, "campaign-done")
    page.get_by_role("link", name="All decisions").click()
    expect(page.get_by_role("row").filter(has_text="Eva")).to_contain_text("withdrew the permission")
    expect(page.get_by_role("row").filter(has_text="Fem")).to_contain_text("never gave permission")
    fits(page, "decisions")
    page.get_by_role("link", name="Ada").click()
    fits(page, "decision")
    sent = Delivery.objects.filter(outcome="sent", campaign__name=letter.campaign)
    assert sent.count() == len(ALLOWING)
    records = ConsentRecord.objects.filter(pk__in=sent.values_list("consent_record_id", flat=True))
    assert {record.state for record in records} == {"given"} and records.count() == len(ALLOWING)


def unsubscribe_by_one_click(mail: EmailMessage) -> str:
    """Do what a scanner and then a mail program do with the headers of RFC 8058; return the address."""
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<(https?://[^>]+)>", mail["List-Unsubscribe"].strip())
    assert found, mail["List-Unsubscribe"]
    url = found[1]
    before = ConsentRecord.objects.count()
    looked = httpx.get(url, trust_env=False)
    assert looked.status_code == 200
    assert ConsentRecord.objects.count() == before, "a look changes nothing"
    for _again in range(2):  # a mail program may press twice
        answer = httpx.post(url, data={"List-Unsubscribe": "One-Click"}, trust_env=False, follow_redirects=False)
        assert answer.status_code == 200
        assert not answer.cookies
    assert ConsentRecord.objects.count() == before + 1
    return url


def the_officer_sees_it(installation: Installation, page: Page, letter: Letter) -> None:
    """Find the withdrawal with its evidence in the log, and no way to change it."""
    page.goto("/privacy/log/")
    page.get_by_label("Said", exact=True).select_option("withdrawn")
    expect(page).to_have_url(re.compile("withdrawn"))
    row = page.get_by_role("row").filter(has_text="Ada").filter(has_text=letter.purpose)
    expect(row).to_have_count(1)
    fits(page, "consent-log")
    row.get_by_role("link").first.click()
    expect(page.get_by_text("verified", exact=True)).to_be_visible()
    evidence = page.locator(".card", has=page.get_by_role("heading", name="Record", exact=True))
    expect(evidence).to_contain_text("delivery:")
    assert page.locator("main").get_by_role("button").count() == 0, "nothing to press"
    fits(page, "consent-record")
    record = ConsentRecord.objects.filter(state="withdrawn", method="one_click").latest("pk")
    for path in (f"{record.pk}/change/", f"{record.pk}/delete/", "add/"):
        refused = page.request.post(f"/admin/consent/consentrecord/{path}", form={"state": "given", "post": "yes"})
        assert refused.status in (403, 405), f"{path}: {refused.status}"
    with installation.api("Privacy officer") as api:
        for method in ("PUT", "PATCH", "DELETE"):
            assert api.request(method, f"consent-records/{record.pk}/", json={}).status_code in (403, 405)
    for sql in ("UPDATE consent_consentrecord SET state = 'given' WHERE id = %s",
                "DELETE FROM consent_consentrecord WHERE id = %s"):  # fmt: skip
        with (
            pytest.raises(DatabaseError, match="Cannot update or delete"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, [record.pk])
    assert ConsentRecord.objects.get(pk=record.pk).state == "withdrawn"
