"""Proof that we saw is told from proof that somebody claims; a purpose may ask for the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from cdp.common.models import ApiToken
from consent.gate import answers_for, check
from consent.links import make_token
from consent.models import ConsentRecord
from consent.services import add_text, update_purpose
from tests.campaigns.sink import Sink
from tests.consent.factories import person, purpose, say
from tests.consent.test_public import mailed_link
from tests.profiles.importing.helpers import checked, confirm
from tests.profiles.importing.test_permission import MAPPING, PROOF

pytestmark = pytest.mark.django_db
OFFICER = "Privacy officer"
AsRole = Callable[[str], Client]
Token = Callable[[str], dict[str, str]]


def claim(anna: Any, headers: dict[str, str], method: str = "double_opt_in") -> Any:
    """Say over the API that a person agreed."""
    body = {
        "profile_id": str(anna.uuid),
        "purpose_id": "newsletter",
        "state": "given",
        "method": method,
        "text_version": 1,
    }
    return Client().post("/api/v1/consent-records/", body, content_type="application/json", headers=headers)


def test_a_tokens_double_opt_in_is_a_claim(api_token: Token, client_as: AsRole) -> None:
    """It is shown as the token's word, with the words it names, wherever the record stands."""
    anna, newsletter = person(), purpose()
    add_text(purpose_id=newsletter.pk, text="Yes", actor="test")
    made = claim(anna, api_token(OFFICER))
    assert (made.status_code, made.json()["proof"]) == (201, "claimed")
    record = ConsentRecord.objects.get()
    assert record.actor == f"token:{ApiToken.objects.get().uuid}"
    officer = client_as(OFFICER)
    for page in (f"/privacy/log/{record.pk}/", "/privacy/log/", f"/people/{anna.uuid}/"):
        shown = officer.get(page).content.decode()
        assert "claimed by API token “test”" in shown, page
        assert "yes: said by the person" not in shown


def test_our_own_page_sees(client_as: AsRole, sink: Sink) -> None:
    """The preference page took the answer itself."""
    anna, newsletter = person(), purpose()
    link = make_token(profile_id=anna.pk, purpose_id=newsletter.pk, channel="email", reference="delivery:1:1")
    key = f"{newsletter.pk}:email"
    Client().post(f"/preferences/{link}/", {"offered": key, "wanted": key})
    Client().post(mailed_link(sink, anna))
    record = ConsentRecord.objects.get()
    assert (record.state, record.proof) == ("given", "seen")
    assert "seen by Klantbeeld" in client_as(OFFICER).get(f"/privacy/log/{record.pk}/").content.decode()


def test_a_files_yes_is_a_claim_that_names_its_document(client_as: AsRole) -> None:
    """The file and its stated proof are named."""
    purpose("newsletter")
    confirm(checked("email,news\nanna@example.org,yes\n", MAPPING, PROOF))
    record = ConsentRecord.objects.get()
    assert record.proof == "claimed"
    page = client_as(OFFICER).get(f"/privacy/log/{record.pk}/").content.decode()
    assert "Paper form at the spring fair" in page


def test_a_claim_does_not_take_the_place_of_what_we_saw() -> None:
    """The better proof stays the one that is pointed at."""
    anna, newsletter = person(), purpose()
    first = say(anna, newsletter, "given", method="preferences", seen=True)
    say(anna, newsletter, "given", method="api", evidence={"proof": "our CRM"})
    decision = check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="email")[anna.pk]
    assert decision.record_id == first.pk


def test_purpose_may_ask_for_proof_that_we_saw() -> None:
    """Then a claim does not open the gate, and the reason says so."""
    anna, bert, newsletter = person(), person(), purpose()
    say(anna, newsletter, "given", method="double_opt_in", evidence={"proof": "says the shop"})
    say(bert, newsletter, "given", method="preferences", seen=True)
    update_purpose(purpose_id=newsletter.pk, changes={"requires_seen_proof": True})
    decisions = check(profile_ids=[anna.pk, bert.pk], purpose_id=newsletter.pk, channel="email")
    assert (decisions[anna.pk].reason, decisions[bert.pk].allowed) == ("proof_not_seen", True)
    assert answers_for(anna.pk)[0].decision.reason == "proof_not_seen"


def test_purpose_may_ask_for_addresses_that_were_answered_at() -> None:
    """Trusted is not confirmed."""
    anna, bert = person(), person(confirmed=True)
    newsletter = purpose(requires_confirmed=True)
    for one in (anna, bert):
        say(one, newsletter, "given")
    decisions = check(profile_ids=[anna.pk, bert.pk], purpose_id=newsletter.pk, channel="email")
    assert (decisions[anna.pk].reason, decisions[bert.pk].allowed) == ("unconfirmed_address", True)
    assert answers_for(anna.pk)[0].decision.reason == "unconfirmed_address"
