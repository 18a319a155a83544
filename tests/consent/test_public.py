"""The links of a message: one click stops it, a scanner's look does not."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
import time_machine
from django.test import Client
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from pytest_django import Settings

from consent.links import make_token, read_token, unsubscribe_url
from consent.models import ConsentRecord, Purpose
from consent.services import add_text
from profiles.models import Identifier, Profile
from tests.campaigns.sink import Sink
from tests.consent.factories import at, payload_of, person, purpose, say, state_of

pytestmark = pytest.mark.django_db


def token_for(anna: Profile, of: Purpose) -> str:
    """Return the token of a delivery."""
    return make_token(profile_id=anna.pk, purpose_id=of.pk, channel="email", reference="delivery:12:345")


@pytest.fixture
def subscriber() -> tuple[Profile, Purpose, str]:
    """A person who gets the newsletter, and the link in it."""
    anna, newsletter = person(), purpose()
    say(anna, newsletter, "given")
    return anna, newsletter, token_for(anna, newsletter)


def strict_client() -> Client:
    """Return a client that a missing CSRF exemption would stop."""
    return Client(enforce_csrf_checks=True)


def bare(response: Any) -> bool:
    """Tell whether an answer sets no cookie and leads nowhere else."""
    return not response.cookies and "Location" not in response


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_one_click_stops_at_once(subscriber: tuple[Profile, Purpose, str], form: str) -> None:
    """RFC 8058: either form of the body, 200, no redirect, no cookie, no login."""
    anna, newsletter, token = subscriber
    if form == "urlencoded":
        response = strict_client().post(
            f"/u/{token}/", "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded"
        )
    else:
        response = strict_client().post(f"/u/{token}/", {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    assert bare(response)
    assert state_of(anna, newsletter) == "withdrawn"
    record = ConsentRecord.objects.latest("id")
    assert (record.method, record.actor, record.reference) == ("one_click", "subject", "delivery:12:345")
    assert payload_of(record.evidence)["ip"] == "127.0.0.0"


def test_second_click_changes_nothing(subscriber: tuple[Profile, Purpose, str]) -> None:
    """Idempotent: the same answer, no second record."""
    _anna, _newsletter, token = subscriber
    answers = [strict_client().post(f"/u/{token}/", {"List-Unsubscribe": "One-Click"}) for _turn in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert ConsentRecord.objects.count() == 2


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_scanner_changes_nothing(subscriber: tuple[Profile, Purpose, str], method: str) -> None:
    """Whoever follows every link: nothing happens."""
    anna, newsletter, token = subscriber
    for page in ("u", "preferences"):
        response = getattr(strict_client(), method)(f"/{page}/{token}/")
        assert not response.cookies
    assert state_of(anna, newsletter) == "given"
    assert ConsentRecord.objects.count() == 1


def test_button_of_the_page_works_without_a_token_of_the_form(subscriber: tuple[Profile, Purpose, str]) -> None:
    """The page has a button; the words on it are kept as evidence."""
    anna, newsletter, token = subscriber
    page = strict_client().get(f"/u/{token}/")
    assert page.status_code == 200
    assert "<button" in page.content.decode()
    assert anna.email not in page.content.decode()
    done = strict_client().post(f"/u/{token}/", {})
    assert f"/preferences/{token}/" in done.content.decode()
    assert state_of(anna, newsletter) == "withdrawn"
    assert payload_of(ConsentRecord.objects.latest("id").evidence)["words"] == "Stop these messages"


def test_broken_multipart_still_stops(subscriber: tuple[Profile, Purpose, str]) -> None:
    """A body that cannot be read is no reason to go on mailing."""
    anna, newsletter, token = subscriber
    response = strict_client().post(f"/u/{token}/", b"rubbish", content_type="multipart/form-data; boundary=x")
    assert response.status_code == 200
    assert state_of(anna, newsletter) == "withdrawn"


def test_every_bad_link_gets_the_same_answer(subscriber: tuple[Profile, Purpose, str]) -> None:
    """Edited, cut, invented, of a purpose that is no more: the same page, to look or to click."""
    anna, _newsletter, token = subscriber
    bad = [
        token[:-2],
        token[1:],
        token.replace(".", ""),
        "x",
        "%00",
        "é" * 10,
        "a" * 3000,
        token + "=",
        make_token(profile_id=anna.pk, purpose_id=987654321, channel="email", reference=""),
    ]
    answers = set()
    for broken in bad:
        for response in (strict_client().get(f"/u/{broken}/"), strict_client().post(f"/u/{broken}/")):
            answers.add((response.status_code, response.content))
    assert len(answers) == 1
    assert ConsentRecord.objects.count() == 1


def test_erased_person_gets_the_usual_answer(subscriber: tuple[Profile, Purpose, str]) -> None:
    """The link of a message to somebody who is erased: fine, nothing to do."""
    anna, _newsletter, token = subscriber
    Profile.objects.filter(pk=anna.pk).update(erased_at=at(9))
    assert strict_client().post(f"/u/{token}/").status_code == 200
    assert ConsentRecord.objects.count() == 1


def test_link_outlives_a_change_of_the_key(subscriber: tuple[Profile, Purpose, str], settings: Settings) -> None:
    """Old mails keep working after LINK_KEY was rotated; with the old key thrown away they do not."""
    _anna, _newsletter, token = subscriber
    settings.LINK_KEY_FALLBACKS = [settings.LINK_KEY]
    settings.LINK_KEY = "another key that is long enough to be one"
    assert read_token(token) is not None
    settings.LINK_KEY_FALLBACKS = []
    assert read_token(token) is None


def test_address_is_short() -> None:
    """Long folded header lines break DKIM."""
    token = make_token(profile_id=2**60, purpose_id=2**60, channel="email", reference=f"delivery:{2**60}:{2**60}")
    assert len(unsubscribe_url(token)) < 300


@settings_of_hypothesis(max_examples=100, deadline=None)
@given(
    profile=st.integers(0, 2**62), of=st.integers(0, 2**62), channel=st.sampled_from(["email", "sms"]),
    reference=st.text(max_size=60),
)  # fmt: skip
def test_no_number_can_be_read_in_a_token(profile: int, of: int, channel: str, reference: str) -> None:
    """What it stands for comes back whole, and nothing of it can be read without the key."""
    token = make_token(profile_id=profile, purpose_id=of, channel=channel, reference=reference)
    link = read_token(token)
    assert link is not None
    assert (link.profile_id, link.purpose_id, link.channel, link.reference) == (profile, of, channel, reference)
    payload = base64.urlsafe_b64decode(token.partition(".")[0] + "==")
    plain = f'[{profile},{of},"{channel}"'.encode()
    assert not payload.startswith(plain[:3]) and plain not in payload


@given(st.text(max_size=500))
def test_no_text_is_a_token(text: str) -> None:
    """Whatever stands in the address: no error, no token."""
    assert read_token(text) is None


def test_preferences_follow_the_boxes(subscriber: tuple[Profile, Purpose, str], sink: Sink) -> None:
    """What is not ticked is withdrawn at once; what is newly ticked is given by a fresh mail, with the words shown."""
    anna, newsletter, token = subscriber
    offers = purpose("offers", channels=["email", "sms"])
    text = add_text(purpose_id=offers.pk, text="Offers that fit what you bought", actor="test")
    page = strict_client().get(f"/preferences/{token}/").content.decode()
    assert "Offers that fit what you bought" in page
    offered = [f"{newsletter.pk}:email", f"{offers.pk}:email", f"{offers.pk}:sms", "999:email", "x"]
    response = strict_client().post(
        f"/preferences/{token}/", {"offered": offered, "wanted": [f"{offers.pk}:email", "999:email"]}
    )
    assert response.status_code == 200
    assert bare(response)

    def states() -> list[str]:
        return [state_of(anna, newsletter), state_of(anna, offers), state_of(anna, offers, "sms")]

    assert "we sent you a mail" in response.content.decode()
    assert states() == ["withdrawn", "", ""]
    fresh = mailed_link(sink, anna)
    shown = strict_client().get(fresh)  # as a mail scanner does
    assert "Offers that fit what you bought" in shown.content.decode() and bare(shown)
    assert shown["Referrer-Policy"] == "no-referrer"
    assert states() == ["withdrawn", "", ""]
    assert strict_client().post(fresh).status_code == 200
    assert states() == ["withdrawn", "given", ""]
    given_record = ConsentRecord.objects.get(purpose=offers)
    assert (given_record.text_id, given_record.proof) == (text.pk, "seen")


def mailed_link(sink: Sink, anna: Profile) -> str:
    """Return the path of the link in the one letter to a person."""
    letters = [content for recipient, content in sink.mails if recipient == anna.email]
    assert len(letters) == 1
    text = message_from_bytes(letters[0], policy=default).get_content()
    found = re.search(r"/preferences/confirm/\S+/", text)
    assert found, text
    return found[0]


def test_a_forwarded_link_gives_nothing_to_whoever_holds_it(
    subscriber: tuple[Profile, Purpose, str], sink: Sink, settings: Settings
) -> None:
    """A friend ticks everything: nothing holds; the mail goes to the person, once, and is good for a day."""
    anna, newsletter, token = subscriber
    offers = purpose("offers")
    boxes = [f"{newsletter.pk}:email", f"{offers.pk}:email"]
    for _time in range(3):
        strict_client().post(f"/preferences/{token}/", {"offered": boxes, "wanted": boxes})
    assert (state_of(anna, newsletter), state_of(anna, offers)) == ("given", "")
    fresh = mailed_link(sink, anna)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=25)):
        assert strict_client().post(fresh).status_code == 404
    assert strict_client().post(fresh[:-3] + "xx/").status_code == 404
    Identifier.objects.filter(profile=anna).delete()
    assert strict_client().post(fresh).status_code == 404
    assert state_of(anna, offers) == ""


def test_without_a_mail_server_nothing_is_given(subscriber: tuple[Profile, Purpose, str], settings: Settings) -> None:
    """The page says so, and what was ended has ended all the same."""
    anna, newsletter, token = subscriber
    offers = purpose("offers")
    settings.MAIL_SERVER = replace(settings.MAIL_SERVER, host="127.0.0.1", port=1)
    answer = strict_client().post(
        f"/preferences/{token}/",
        {"offered": [f"{newsletter.pk}:email", f"{offers.pk}:email"], "wanted": [f"{offers.pk}:email"]},
    )
    assert "could not be sent" in answer.content.decode()
    assert (state_of(anna, newsletter), state_of(anna, offers)) == ("withdrawn", "")


def test_stop_everything_is_an_objection(subscriber: tuple[Profile, Purpose, str], sink: Sink) -> None:
    """GDPR art. 21: every marketing purpose and channel, with one button."""
    anna, newsletter, token = subscriber
    offers, invoice = purpose("offers"), purpose("invoice", basis="contract", is_marketing=False)
    strict_client().post(f"/preferences/{token}/", {"stop": "1"})
    assert [state_of(anna, of) for of in (newsletter, offers, invoice)] == ["objected", "objected", ""]
    strict_client().post(
        f"/preferences/{token}/", {"offered": [f"{newsletter.pk}:email"], "wanted": [f"{newsletter.pk}:email"]}
    )
    assert state_of(anna, newsletter) == "objected"
    strict_client().post(mailed_link(sink, anna))
    assert state_of(anna, newsletter) == "given"


def test_preferences_of_an_erased_person_are_a_bad_link(subscriber: tuple[Profile, Purpose, str]) -> None:
    """Nothing is shown of who is gone."""
    anna, _newsletter, token = subscriber
    Profile.objects.filter(pk=anna.pk).update(erased_at=at(9))
    assert strict_client().get(f"/preferences/{token}/").status_code == 404
