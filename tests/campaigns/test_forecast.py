"""The forecast before a send equals the ledger after it, but for what happened in between, which is named (C17)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from campaigns import audience
from campaigns.checks import checks_of, forecast_of
from campaigns.forecast import forecast, forecast_people
from campaigns.models import Campaign, Delivery
from campaigns.rendering.mime import deliverable
from campaigns.report import changes_since_forecast, report_of
from campaigns.sending import trial
from campaigns.sending.context import template_of
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from consent.models import Purpose
from consent.services import suppress_address
from profiles.models import Profile
from segments.models import Membership
from tests.campaigns.factories import campaign, message, readers, segment
from tests.campaigns.runs import run
from tests.campaigns.sink import Sink
from tests.consent.factories import person, purpose, say

#: fails for people whose `share` is zero; needs a city
BODY = (
    "Hi {{ person.first_name }} from {{ person.city }}: "
    "{% if person.share %}{{ 100 | divided_by: person.share }}{% endif %}"
)


def reader(name: str, news: Purpose, **traits: Any) -> Profile:
    """Make somebody who gave permission and has every value that the message needs."""
    given = {"first_name": name, "city": "Utrecht", "share": 5, **traits}
    one = person(f"{name}@klantbeeld.example", traits={key: value for key, value in given.items() if value is not ...})
    say(one, news, "given")
    return one


def everybody(news: Purpose) -> Campaign:
    """Return a draft whose audience has somebody in every line of the waterfall."""
    fine = [reader(f"fine-{number}", news) for number in range(5)]
    excluded = reader("excluded", news)
    erased = reader("erased", news)
    restricted = reader("restricted", news)
    Profile.objects.filter(pk=erased.pk).update(erased_at="2026-01-01T00:00Z")
    Profile.objects.filter(pk=restricted.pk).update(restricted_at="2026-01-01T00:00Z")
    withdrawn = reader("withdrawn", news)
    say(withdrawn, news, "withdrawn")
    objected = reader("objected", news)
    say(objected, news, "objected")
    never = person("never@klantbeeld.example", traits={"city": "Utrecht", "share": 1})
    addressless = reader("addressless", news)
    Profile.objects.filter(pk=addressless.pk).update(email="")
    connection.cursor().execute(
        "DELETE FROM profiles_identifier WHERE kind = 'email' AND profile_id = %s", [addressless.pk]
    )
    suppressed = reader("suppressed", news)
    suppress_address(kind="email", value=suppressed.email, reason="manual", actor="test")
    empty: list[Any] = [..., "", None, [], {}]
    lacking = [reader(f"lacking-{number}", news, city=value) for number, value in enumerate(empty)]
    # Somebody who lacks a value and somebody who has it share an address: the mail goes to the second.
    twin = reader("twin", news)
    Profile.objects.filter(pk=twin.pk).update(email=lacking[0].email.upper())
    copy = reader("copy", news)
    Profile.objects.filter(pk=copy.pk).update(email=fine[0].email)
    wrong = reader("wrong", news)
    Profile.objects.filter(pk=wrong.pk).update(email="no address, at all")
    zero = reader("zero", news, share=0)
    people = [
        *fine, excluded, erased, restricted, withdrawn, objected, never, addressless, suppressed, *lacking, twin, copy,
        wrong, zero,
    ]  # fmt: skip
    text = message(body=BODY, required_traits=["first_name", "city"])
    return campaign(*people, of=news, text=text, exclude_segment_ids=(segment(excluded).pk,))


EXPECTED = {
    "excluded": 1,
    "erased": 1,
    "restricted": 1,
    "objected": 1,
    "withdrawn": 1,
    "no_consent": 1,
    "no_address": 1,
    "suppressed": 1,
    "missing_field": 5,
    "invalid_address": 1,
    "duplicate_address": 1,
    "render_error": 1,
}


@pytest.mark.django_db(transaction=True)
def test_the_ledger_equals_the_forecast_in_every_line(sink: Sink) -> None:
    news = purpose()
    row = everybody(news)
    foreseen = forecast(row)
    assert foreseen.skipped == EXPECTED and foreseen.will_be_sent == 6 and foreseen.total == 22
    row = run(row)
    report = report_of(row)
    ledger = {reason: people for (_outcome, reason), people in report.tally.by_reason.items() if reason}
    assert ledger == foreseen.skipped
    assert report.total == foreseen.total and report.tally.of("sent") == foreseen.will_be_sent == len(sink.mails)
    assert changes_since_forecast(row, report) == []


@pytest.mark.django_db(transaction=True)
def test_every_number_of_the_forecast_opens_its_people(sink: Sink) -> None:
    row = everybody(purpose())
    foreseen = forecast(row)
    opened = {reason: forecast_people(row, reason, 100) for reason in ["", *foreseen.skipped]}
    assert {reason: len(ids) for reason, ids in opened.items() if reason} == foreseen.skipped
    assert len(opened[""]) == foreseen.will_be_sent
    found = run(row)
    for reason, ids in opened.items():
        deliveries = Delivery.objects.of_campaign(found.pk).filter(reason=reason)
        assert set(deliveries.values_list("profile_id", flat=True)) == set(ids)


@pytest.mark.django_db(transaction=True)
def test_what_happens_between_forecast_and_send_is_named(sink: Sink, admin_client: Client) -> None:
    news = purpose()
    people = readers(10, news)
    row = campaign(*people, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    say(people[0], news, "withdrawn")
    say(people[1], news, "withdrawn")
    # One leaves the segment before the start, two come.
    row.refresh_from_db()
    assert row.segment is not None and row.segment_version is not None
    Membership.objects.filter(segment=row.segment, profile_id=people[2].pk).delete()
    more = readers(2, news, prefix="late")
    for one in more:
        Membership.objects.create(
            profile_id=one.pk, segment=row.segment, version=row.segment_version, since="2026-01-01T00:00Z"
        )
    start_due_campaigns()
    say(people[3], news, "withdrawn")  # and one while it is being sent
    row = run(row)
    report = report_of(row)
    changes = {line.code: line.difference for line in changes_since_forecast(row, report)}
    assert changes == {"audience": 1, "withdrawn": 3, "sent": -2}
    assert changes["audience"] == sum(change for code, change in changes.items() if code != "audience")
    page = admin_client.get(f"/campaigns/{row.pk}/").content.decode()
    assert "Since the forecast" in page and "withdrawn" in page
    answer = admin_client.get(f"/api/v1/campaigns/{row.uuid}/report/").json()
    assert {line["code"] for line in answer["since_forecast"]} == set(changes)
    assert answer["forecast"]["total"] == 10


@pytest.mark.django_db
def test_a_page_counts_the_audience_once(admin_client: Client) -> None:
    row = everybody(purpose())
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert admin_client.get(f"/campaigns/{row.pk}/forecast/").status_code == 200
    assert sum("decided AS" in query["sql"] for query in queries.captured_queries) == 1


@pytest.mark.django_db
def test_a_message_that_can_fail_is_tried_with_the_first_people_and_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("campaigns.forecast.TRIAL_PEOPLE", 4)
    news = purpose()
    people = [reader(f"p{number}", news, share=number % 2) for number in range(8)]
    row = campaign(*people, of=news, text=message(body=BODY))
    counted = forecast_of(row)
    assert counted is not None
    # Not everybody was tried, so the waterfall claims nothing of it; the check says what was found.
    assert counted.will_be_sent == 8 and "render_error" not in counted.skipped
    assert (counted.trial.tried, len(counted.trial.failed), counted.trial.whole) == (4, 2, False)
    words = next(check.message for check in checks_of(row, counted) if check.code == "render_errors")
    assert "2 of the 4 people" in words and "fewer than foreseen" in words


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "fails"),
    [
        ("Hi {{ person.first_name }}", False),
        (
            '{{ person.first_name | default: "you" | capitalize }}{% if person.city %}, {{ person.city }}{% endif %}',
            False,
        ),
        ("{% if person.a == 'x' and person.b %}x{% endif %}", False),
        ("{% if person.b %}{{ person.a | divided_by: person.b }}{% endif %}", True),
        ("{% if person.a > 3 %}x{% endif %}", True),
        ("{% for line in person.lines %}{{ line }}{% endfor %}", True),
        ("{{ person.born | date: '%Y' }}", True),
    ],
)
def test_what_can_fail_is_known_from_the_template(body: str, fails: bool) -> None:
    version = message(body=body).current_version
    assert version is not None
    assert trial.can_fail(template_of(version)) is fails


ODD = st.sampled_from(
    [*'ab@.<>,;:"()[]\\ \t\n\r\x0b\x1c\x85', "\u00a0", "\u2003", "\u2028", "\u3000", "\x7f", "\x01", "é"]
)


@pytest.mark.django_db
@given(st.lists(st.text(ODD, max_size=8), min_size=1, max_size=50))
def test_an_address_is_one_for_the_forecast_when_it_is_one_for_the_sender(addresses: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {audience._NO_ADDRESS} FROM unnest(%s::text[]) WITH ORDINALITY AS gated (address, n) ORDER BY n",
            [addresses],
        )
        found = [row[0] for row in cursor.fetchall()]
    for address, refused in zip(addresses, found, strict=True):
        try:
            deliverable(address)
        except UnicodeError:
            continue  # a name without a form in ASCII is found out at the send
        except ValueError:
            assert refused, repr(address)
        else:
            assert not refused, repr(address)
