"""The pages: who may see them, what they show, that more rows do not mean more queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cdp.common.models import AccessLog
from segments import membership
from segments.models import Segment
from tests.segments.factories import event, happened, members, person, refresh_new, segment, trait

pytestmark = pytest.mark.django_db
Clients = Callable[[str], Client]

FORM = {
    "name": "Dutch buyers",
    "segment": "",
    "action": "save",
    "n:include:type": "all",
    "n:include.0:type": "trait",
    "n:include.0:key": "country",
    "n:include.0:operator": "one_of",
    "n:include.0:value": "NL, BE",
    "n:include.1:type": "event",
    "n:include.1:name": "Order Completed",
    "n:include.1:count": "at_least",
    "n:include.1:times": "2",
    "n:include.1:window": "last",
    "n:include.1:days": "90",
    "n:include.1:where.0.key": "total",
    "n:include.1:where.0.operator": "gt",
    "n:include.1:where.0.value": "50",
}


@pytest.fixture
def buyer() -> Any:
    """A person who meets the form's rule."""
    made = person(traits={"country": "NL"}, name="Anna de Vries")
    happened(made, "Order Completed", total=60)
    happened(made, "Order Completed", total=70)
    return made


def test_the_form_saves_a_rule_and_its_members_follow(client_as: Clients, buyer: Any) -> None:
    answer = client_as("Marketer").post("/segments/new/", FORM)
    made = Segment.objects.get()
    assert answer["Location"] == made.get_absolute_url()
    refresh_new()
    assert members(made) == {buyer.pk}
    assert made.current_version is not None
    assert made.current_version.rule["include"]["children"][1] == {
        "type": "event",
        "name": "Order Completed",
        "count": "at_least",
        "times": 2,
        "window": {"kind": "last", "days": 90},
        "where": [{"key": "total", "operator": "gt", "value": 50}],
    }


def test_a_faulty_form_saves_nothing_and_marks_the_node(client_as: Clients, buyer: Any) -> None:
    answer = client_as("Marketer").post("/segments/new/", {**FORM, "n:include.0:key": "contry"})
    assert answer.status_code == 422
    assert not Segment.objects.exists()
    html = answer.content.decode()
    assert "Nobody has the trait contry" in html.split('id="node-include-0-errors"')[1].split("</ul>")[0]


def test_buttons_change_the_tree(client_as: Clients, buyer: Any) -> None:
    client = client_as("Marketer")
    html = client.post("/segments/builder/tree/", {**FORM, "action": "group:include"}).content.decode()
    assert 'name="n:include.2.0:type"' in html
    html = client.post("/segments/builder/tree/", {**FORM, "action": "remove:include.0"}).content.decode()
    assert 'name="n:include.0:name"' in html
    assert 'name="n:include.1:type"' not in html
    html = client.post("/segments/builder/tree/", {**FORM, "action": "exclude"}).content.decode()
    assert 'name="n:exclude.0:segment"' in html
    html = client.post("/segments/builder/tree/", {**FORM, "n:include:type": "none"}).content.decode()
    assert 'name="n:include.0.0:key"' in html, "the conditions stay when a group turns into NONE"
    none = {name.replace("n:include.", "n:include.0."): value for name, value in FORM.items()}
    html = client.post("/segments/builder/tree/", {**none, "n:include:type": "any"}).content.decode()
    assert 'name="n:include.0:key"' in html, "and when it turns back"


def test_the_look_counts_each_node_and_shows_people(client_as: Clients, buyer: Any) -> None:
    person(traits={"country": "BE"})
    html = client_as("Marketer").post("/segments/builder/look/", FORM).content.decode()
    assert "Anna de Vries" in html
    assert 'id="node-include-0-count" hx-swap-oob="true">2<' in html
    assert 'id="node-include-1-count" hx-swap-oob="true">1<' in html
    assert "who did “Order Completed” at least 2 times" in html


@pytest.mark.parametrize("role", ["Marketer", "Analyst", "Administrator"])
def test_the_pages_draw(client_as: Clients, buyer: Any, role: str) -> None:
    made = segment("Dutch", {"type": "all", "children": [trait("country", "is", "NL"), event("Order Completed")]})
    client = client_as(role)
    for path in (
        "",
        f"{made.slug}/",
        f"{made.slug}/members/",
        f"{made.slug}/history/",
        f"{made.slug}/why/{buyer.uuid}/",
    ):
        answer = client.get(f"/segments/{path}")
        assert answer.status_code == 200, path
        assert ("Anna de Vries" in answer.content.decode()) == (role != "Analyst" and path != ""), path


def test_roles_keep_to_what_they_may(client_as: Clients, buyer: Any) -> None:
    made = segment("Dutch", trait("country", "is", "NL"))
    analyst, officer = client_as("Analyst"), client_as("Privacy officer")
    for path in ("new/", f"{made.slug}/edit/"):
        assert analyst.get(f"/segments/{path}").status_code == 403
    for path in (
        "builder/tree/",
        "builder/look/",
        "builder/compare/",
        f"{made.slug}/archive/",
        f"{made.slug}/duplicate/",
    ):
        assert analyst.post(f"/segments/{path}").status_code == 403
    assert analyst.get(f"/segments/{made.slug}/members/?export=csv").status_code == 403
    assert officer.get("/segments/").status_code == 403
    assert Client().get("/segments/").status_code == 302


def test_an_export_is_in_the_access_log_and_holds_no_formulas(client_as: Clients) -> None:
    person(traits={"country": "NL"}, name="=cmd()")
    made = segment("Dutch", trait("country", "is", "NL"))
    answer = client_as("Marketer").get(f"/segments/{made.slug}/members/?export=csv")
    lines = answer.getvalue().decode()
    assert "'=cmd()" in lines
    assert AccessLog.objects.filter(action="segment.exported").count() == 1


def test_more_rows_do_not_mean_more_queries(client_as: Clients) -> None:
    client = client_as("Marketer")
    made = segment("Everyone", {"type": "everyone"})
    counts = []
    for _turn in range(2):
        for number in range(3):
            person(name=f"P{number}")
            segment(f"S{Segment.objects.count()}", {"type": "everyone"})
        membership.refresh_segment(made.pk)
        found = []
        for path in ("/segments/", f"/segments/{made.slug}/members/", f"/segments/{made.slug}/history/"):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            found.append(len(queries))
        counts.append(found)
    assert counts[0] == counts[1]


def test_archive_and_duplicate(client_as: Clients, buyer: Any) -> None:
    made = segment("Dutch", trait("country", "is", "NL"))
    user = segment("Upper", {"type": "member", "segment": made.pk})
    client = client_as("Marketer")
    client.post(f"/segments/{made.slug}/archive/")
    made.refresh_from_db()
    assert made.status == "live", "another segment builds on it"
    client.post(f"/segments/{user.slug}/archive/")
    client.post(f"/segments/{made.slug}/archive/")
    made.refresh_from_db()
    assert (made.status, members(made)) == ("archived", set())
    assert client.post(f"/segments/{made.slug}/duplicate/")["Location"].endswith("/edit/")


def test_an_edited_rule_draws_in_the_form_as_it_was_saved(client_as: Clients, buyer: Any) -> None:
    client = client_as("Marketer")
    client.post("/segments/new/", FORM)
    made = Segment.objects.get()
    html = client.get(f"/segments/{made.slug}/edit/").content.decode()
    assert 'value="NL, BE"' in html
    assert 'value="Order Completed"' in html
    client.post(f"/segments/{made.slug}/edit/", {**FORM, "segment": made.pk})
    assert made.versions.count() == 1, "an equal rule makes no new version"
    client.post(f"/segments/{made.slug}/edit/", {**FORM, "segment": made.pk, "n:include.0:value": "NL"})
    assert made.versions.count() == 2


def test_junk_in_the_form_is_refused_and_never_an_error(client_as: Clients) -> None:
    client = client_as("Marketer")
    for junk in ({"n:include:type": "x"}, {"n:include.5:type": "trait"}, {"n:include:type": "all", "segment": "٣"}, {}):
        assert client.post("/segments/new/", {"name": "x\x00", **junk}).status_code == 422
        assert client.post("/segments/builder/tree/", {**junk, "action": "remove:include.9.9"}).status_code == 200
        assert client.post("/segments/builder/look/", junk).status_code == 200
