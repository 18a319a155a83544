"""Before saving: whom a mail could reach and why not the others, who would come and go, why somebody would be in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from campaigns.checks import blocking, checks_of
from cdp.common.models import AccessLog
from segments import membership, services
from segments.catalog_loader import known_catalog
from segments.membership_diff import Moved
from segments.models import MembershipChange, Segment
from segments.rules.parse import parse
from tests.campaigns.factories import campaign
from tests.consent.factories import person as reachable
from tests.consent.factories import purpose, say
from tests.segments.factories import happened, person, rule, segment, trait
from tests.segments.test_pages import FORM

pytestmark = pytest.mark.django_db
Clients = Callable[[str], Client]


def test_mailable_counts_each_person_once_under_one_reason() -> None:
    news = purpose("news")
    agreed, withdrawn, _silent, _nameless = (reachable(), reachable(), reachable(), reachable(None))
    say(agreed, news, "given")
    say(withdrawn, news, "given")
    say(withdrawn, news, "withdrawn")
    found = services.mailable(parse(rule({"type": "everyone"})), known_catalog(), news)
    assert found is not None
    assert sum(found.values()) == 4
    assert (found[""], found["withdrawn"]) == (1, 1)
    assert found["no_consent"] + found.get("no_address", 0) == 2


def test_comparing_tells_who_would_come_go_and_stay_and_writes_nothing() -> None:
    for plan in ("pro", "pro", "free", "trial"):
        person(traits={"plan": plan, "paid": plan == "pro"})
    made = segment("Plans", trait("plan", "one_of", ["pro", "free"]))
    before = MembershipChange.objects.count()
    draft = parse(rule(trait("plan", "one_of", ["pro", "trial"])))
    found = services.compare_with_saved(made, draft, known_catalog())
    assert (found.enter, found.leave, found.stay) == (1, 1, 2)
    assert MembershipChange.objects.count() == before


def test_the_builder_compares_and_says_when_there_is_nothing_to_compare(client_as: Clients) -> None:
    anna = person(traits={"country": "NL"}, name="Anna de Vries")
    happened(anna, "Order Completed", total=60)
    made = segment("Belgian", trait("country", "is_not", "NL"))
    client = client_as("Marketer")
    form = {**FORM, "segment": made.pk, "n:include.1:times": "1"}
    html = client.post("/segments/builder/compare/", form).content.decode()
    assert "+1" in html
    assert "Nothing is saved yet" in client.post("/segments/builder/compare/", FORM).content.decode()
    form["n:include.0:key"] = ""
    assert "Correct the rule first" in client.post("/segments/builder/compare/", form).content.decode()


def test_why_in_the_builder_explains_the_draft_and_not_what_is_saved(client_as: Clients) -> None:
    anna = person(traits={"country": "NL"}, name="Anna de Vries")
    happened(anna, "Order Completed", total=60)
    person(traits={"country": "DE"})
    made = segment("Germans", trait("country", "is", "DE"))
    url = f"/segments/builder/why/{anna.uuid}/"
    form = {**FORM, "segment": made.pk}
    client = client_as("Marketer")
    html = client.post(url, form).content.decode()
    assert "country is one of NL, BE" in html
    assert "did so 1 times" in html
    assert "is DE" not in html
    assert AccessLog.objects.filter(action="segment.explained").count() == 1
    assert "Correct the rule first" in client.post(url, {**form, "n:include.0:key": ""}).content.decode()
    assert client_as("Analyst").post(url, form).status_code == 403
    assert client.get(url).status_code == 405
    assert url in client.post("/segments/builder/look/", {**form, "n:include.1:times": "1"}).content.decode()


def test_what_nobody_began_with_is_no_fault_yet(client_as: Clients) -> None:
    client = client_as("Marketer")
    untouched = {"n:include:type": "all", "n:include.0:type": "trait", "n:include.0:key": "", "n:include.0:value": ""}
    html = client.post("/segments/builder/look/", {**untouched, "n:include.0:operator": "is"}).content.decode()
    assert "Choose a trait" not in html
    begun = {**untouched, "n:include.0:operator": "is", "n:include.0:value": "NL"}
    assert "Choose a trait" in client.post("/segments/builder/look/", begun).content.decode()
    assert client.post("/segments/new/", {"name": "X", **untouched, "n:include.0:operator": "is"}).status_code == 422


@pytest.mark.parametrize("spoil", ["broken", "never refreshed"])
def test_a_campaign_does_not_go_to_a_segment_whose_members_are_not_known(spoil: str) -> None:
    planned = campaign(reachable())
    fields: dict[str, Any] = {"status": "broken"} if spoil == "broken" else {"refreshed_at": None}
    assert "segment_fresh" in {check.code for check in checks_of(planned, None)}
    assert planned.segment_id is not None
    Segment.objects.filter(pk=planned.segment_id).update(**fields)
    stops = {check.code for check in blocking(checks_of(planned, None))}
    assert stops & {"segment_broken", "segment_stale"}


def test_a_refresh_brings_the_members_that_the_comparison_promised() -> None:
    person(traits={"plan": "pro"})
    person(traits={"plan": "trial"})
    made = segment("Plans", trait("plan", "is", "pro"))
    data = rule(trait("plan", "is", "trial"))
    promised = services.compare_with_saved(made, parse(data), known_catalog())
    services.update_rule(segment=made, rule=data)
    moved = membership.refresh_segment(made.pk)
    assert moved == Moved(promised.enter, promised.leave)
