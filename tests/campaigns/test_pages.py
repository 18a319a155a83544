"""The pages by role: what each may see, what is masked, what is refused and in which words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Delivery, Message
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from profiles.models import Profile
from tests.campaigns.factories import BODY, campaign, message, readers
from tests.consent.factories import purpose

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]


def under_way() -> Campaign:
    """Return a campaign whose audience is decided and of which nothing is sent yet."""
    news = purpose()
    row = campaign(*readers(2, news), of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    row.refresh_from_db()
    return row


def addresses(row: Campaign) -> list[str]:
    """Return every page that can be read."""
    delivery = Delivery.objects.of_campaign(row.pk).first()
    assert delivery is not None and row.message is not None
    return [
        reverse("campaigns:messages"),
        reverse("campaigns:message", args=[row.message.pk]),
        reverse("campaigns:message_version", args=[row.message.pk, 1]),
        reverse("campaigns:campaigns"),
        reverse("campaigns:campaign", args=[row.pk]),
        reverse("campaigns:forecast", args=[row.pk]),
        reverse("campaigns:forecast_people", args=[row.pk]) + "?reason=",
        reverse("campaigns:progress", args=[row.pk]),
        reverse("campaigns:campaign_frame", args=[row.pk]),
        reverse("campaigns:deliveries", args=[row.pk]),
        reverse("campaigns:deliveries", args=[row.pk]) + "?outcome=pending&q=reader",
        reverse("campaigns:delivery", args=[row.pk, delivery.uuid]),
    ]


@pytest.mark.parametrize("role", ["Marketer", "Analyst", "Privacy officer", "Administrator"])
def test_every_page_opens_for_who_may_read_it(role: str, client_as: ClientAs) -> None:
    row = under_way()
    client = client_as(role)
    assert {address: client.get(address).status_code for address in addresses(row)} == dict.fromkeys(
        addresses(row), 200
    )


def test_an_empty_installation_says_what_the_first_step_is(client_as: ClientAs) -> None:
    client = client_as("Marketer")
    assert "A campaign sends one message" in client.get(reverse("campaigns:campaigns")).content.decode()
    assert "Write a message" in client.get(reverse("campaigns:messages")).content.decode()
    assert client.get(reverse("campaigns:campaign_new")).status_code == 200
    for starter in ("letter", "announcement", "tip", "design", "empty"):
        assert client.get(reverse("campaigns:message_new") + f"?starter={starter}").status_code == 200


def test_a_draft_shows_its_forecast_and_asks_for_nothing_else(client_as: ClientAs) -> None:
    news = purpose()
    row = campaign(*readers(2, news), of=news)
    client = client_as("Marketer")
    assert client.get(reverse("campaigns:campaign", args=[row.pk])).status_code == 200
    shown = client.get(reverse("campaigns:forecast", args=[row.pk])).content.decode()
    assert "Schedule 2 mails" in shown and "will be sent" in shown
    empty = client.post(reverse("campaigns:campaign_new"), {"name": "Only a name"})
    assert empty.status_code == 302
    assert "no segment is chosen" in client.get(empty["Location"] + "forecast/").content.decode()


def test_nobody_reads_without_a_login_and_an_analyst_changes_nothing(client_as: ClientAs, client: Client) -> None:
    row = under_way()
    assert {client.get(address).status_code for address in addresses(row)} == {302}
    analyst = client_as("Analyst")
    for name in ("pause", "resume", "cancel", "schedule", "unschedule", "resend", "campaign_test"):
        assert analyst.post(reverse(f"campaigns:{name}", args=[row.pk])).status_code == 403
    assert row.message is not None
    assert analyst.post(reverse("campaigns:message", args=[row.message.pk]), {"name": "x"}).status_code == 403
    assert analyst.get(reverse("campaigns:message_new")).status_code == 403
    row.refresh_from_db()
    assert row.status == "sending"


def test_an_analyst_sees_no_name_and_no_address(client_as: ClientAs) -> None:
    row = under_way()
    client = client_as("Analyst")
    for address in addresses(row):
        assert "reader-0@" not in client.get(address).content.decode()


def test_a_template_error_names_field_line_and_mend(client_as: ClientAs) -> None:
    client = client_as("Marketer")
    form = {"name": "A", "subject": "S", "format": "letter", "from_name": "Shop", "from_email": "hello@shop.example"}
    answer = client.post(reverse("campaigns:message_new"), {**form, "body": "one\ntwo {{ person.x | nosuch }}"})
    assert answer.status_code == 422 and "Line 2" in answer.content.decode() and "nosuch" in answer.content.decode()
    assert not Message.objects.exists()
    assert client.post(reverse("campaigns:message_new"), {**form, "body": BODY}).status_code == 302
    assert Message.objects.get().current_version is not None


def test_every_save_with_a_change_is_a_new_version(client_as: ClientAs) -> None:
    client, row = client_as("Marketer"), message()
    form = {
        "name": "News",
        "subject": "News",
        "format": "letter",
        "from_name": "Shop",
        "from_email": "hello@shop.example",
    }
    client.post(reverse("campaigns:message", args=[row.pk]), {**form, "body": BODY})
    client.post(reverse("campaigns:message", args=[row.pk]), {**form, "body": BODY + " more"})
    assert [version.number for version in row.versions.order_by("number")] == [1, 2]


def test_odd_addresses_and_forms_are_refused_and_never_an_error_of_ours(client_as: ClientAs) -> None:
    client, row = client_as("Marketer"), under_way()
    assert client.get(f"/campaigns/{2**70}/").status_code == 404
    assert client.get(f"/messages/{2**70}/").status_code == 404
    assert client.get(f"/campaigns/{row.pk}/deliveries/00000000-0000-0000-0000-000000000000/").status_code == 404
    assert client.get(f"/campaigns/{row.pk}/deliveries/?q=%00&outcome=nope&sort=-x").status_code == 200
    assert client.get(f"/campaigns/{row.pk}/deliveries/?at=zzz").status_code == 400
    assert client.get(f"/campaigns/{row.pk}/forecast/people/?reason=%27;--").status_code == 200
    assert client.get("/messages/people/?find=%00%00").status_code == 200
    assert client.post(f"/campaigns/{row.pk}/resend/", {"people": "many"}).status_code == 302
    assert client.post(f"/campaigns/{row.pk}/schedule/", {"when": "at", "local_time": "soon"}).status_code == 302
    assert client.post("/messages/check/", {"body": "\x00", "subject": "x"}).status_code == 200
    assert client.post("/messages/preview/", {"body": "{{", "subject": "x"}).status_code == 200


def test_the_preview_is_sandboxed_and_looks_a_person_up_once(client_as: ClientAs) -> None:
    client, row = client_as("Marketer"), under_way()
    someone = Profile.objects.get(email="reader-0@klantbeeld.example")
    answer = client.get(reverse("campaigns:campaign_frame", args=[row.pk]) + f"?person={someone.uuid}")
    assert answer["Content-Security-Policy"].startswith("sandbox ") and "Reader0" in answer.content.decode()
    assert "script" not in answer["Content-Security-Policy"] and answer["X-Frame-Options"] == "SAMEORIGIN"


def test_cancelling_says_how_many_it_stopped(client_as: ClientAs) -> None:
    client, row = client_as("Marketer"), under_way()
    assert "Stops 2 unsent messages" in client.get(reverse("campaigns:campaign", args=[row.pk])).content.decode()
    answer = client.post(reverse("campaigns:cancel", args=[row.pk]), follow=True)
    assert "2 unsent messages stopped" in answer.content.decode()


def test_the_file_of_decisions_names_people_by_their_public_ids(client_as: ClientAs) -> None:
    row = under_way()
    answer = client_as("Marketer").get(reverse("campaigns:deliveries", args=[row.pk]) + "?export=csv")
    lines = b"".join(getattr(answer, "streaming_content", [])).decode("utf-8-sig").splitlines()[1:]
    assert {line.partition(",")[0] for line in lines} == {
        str(uuid) for uuid in Profile.objects.values_list("uuid", flat=True)
    }
