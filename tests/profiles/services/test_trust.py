"""Trusted and confirmed are two things; a public key makes neither, and both stay with the identifier."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from cdp.common.roles import ADMINISTRATOR
from profiles.models import Identifier, Merge, Source
from profiles.services.identifiers import confirm_identifier
from profiles.services.merges import merge_profiles, undo_merge
from profiles.services.profiles import PersonRow, upsert_person
from tests.profiles.importing.helpers import imported
from tests.profiles.processing.inbox import identify, person, send, source

pytestmark = pytest.mark.django_db


def state(value: str) -> tuple[bool, bool]:
    found = Identifier.objects.get(value=value)
    return found.trusted, found.confirmed_at is not None


def test_a_server_an_import_and_the_api_make_an_address_trusted_and_nobody_makes_it_confirmed() -> None:
    send(source("server"), identify("m1", userId="u1", traits={"email": "server@shop.nl"}))
    send(source("browser"), identify("m2", userId="u2", traits={"email": "browser@shop.nl"}))
    imported("email\nfile@shop.nl\n")
    by_hand = Source.objects.get(slug="manual")
    upsert_person(row=PersonRow(identifiers=[("email", "api@shop.nl")]), source=by_hand)
    trusted = {value: state(value) for value in ("server@shop.nl", "browser@shop.nl", "file@shop.nl", "api@shop.nl")}
    assert trusted == {
        "server@shop.nl": (True, False),
        "browser@shop.nl": (False, False),
        "file@shop.nl": (True, False),
        "api@shop.nl": (True, False),
    }


def test_an_answer_at_an_address_confirms_it_and_makes_it_mailable() -> None:
    send(source("browser"), identify("m1", anonymousId="a1", traits={"email": "anna@shop.nl"}))
    assert person("email", "anna@shop.nl").email == ""
    moment = timezone.now()
    confirm_identifier(kind="email", value="anna@shop.nl", at=moment)
    anna = Identifier.objects.select_related("profile").get(value="anna@shop.nl")
    assert (anna.trusted, anna.confirmed_at, anna.profile.email) == (True, moment, "anna@shop.nl")


def test_both_survive_a_merge_and_its_undo() -> None:
    send(source("server"), identify("m1", userId="u1", traits={"email": "one@shop.nl"}))
    send(source("server"), identify("m2", userId="u2", traits={"email": "two@shop.nl"}))
    confirm_identifier(kind="email", value="two@shop.nl")
    merge_profiles(winner_id=person("user_id", "u1").pk, loser_id=person("user_id", "u2").pk)
    assert (state("one@shop.nl"), state("two@shop.nl")) == ((True, False), (True, True))
    undo_merge(merge_id=Merge.objects.get().pk)
    assert (state("one@shop.nl"), state("two@shop.nl")) == ((True, False), (True, True))


def test_both_are_shown_on_the_page_and_in_the_api(client_as, api_token) -> None:  # type: ignore[no-untyped-def]
    send(source("server"), identify("m1", userId="u1", traits={"email": "one@shop.nl"}))
    confirm_identifier(kind="email", value="one@shop.nl")
    anna = person("user_id", "u1")
    page = client_as(ADMINISTRATOR).get(reverse("profiles:person", args=[anna.uuid]))
    assert [(row["trusted"], bool(row["confirmed_at"])) for row in page.context["identifiers"]] == [
        (True, False),
        (True, True),
    ]
    html = page.content.decode()
    assert "confirmed" in html and "trusted" in html
    answer = client_as(ADMINISTRATOR).get(f"/api/v1/profiles/{anna.uuid}/", headers=api_token()).json()
    assert {(item["kind"], item["trusted"], bool(item["confirmed_at"])) for item in answer["identifiers"]} == {
        ("user_id", True, False),
        ("email", True, True),
    }
