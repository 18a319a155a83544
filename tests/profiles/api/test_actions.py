"""What can be done with a person over the API: each by its permission, in the log, and again without harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from cdp.common.models import AccessLog
from consent.models import Erasure, Suppression
from consent.services.erasing import go_on_with_erasures
from profiles.models import CatalogueEntry, Identifier, Profile, RejectedMessage
from profiles.processing.drain import drain_inbox
from profiles.services.profiles import PersonRow, upsert_person
from tests.profiles.processing.inbox import identify, put, send, source, track

Token = Callable[..., dict[str, str]]
API = "/api/v1"
pytestmark = pytest.mark.django_db


def written(key: str, **traits: Any) -> Profile:
    """Make a person."""
    outcome = upsert_person(row=PersonRow(identifiers=[("user_id", key)], traits=traits), source=source())
    return Profile.objects.get(pk=outcome.profile_id or 0)


def post(to: str, headers: dict[str, str], **body: Any) -> Any:
    """Send JSON."""
    return Client().post(f"{API}{to}", json.dumps(body), content_type="application/json", headers=headers)


def test_a_restriction_is_set_and_lifted_with_a_reason(api_token: Token) -> None:
    anna, headers = written("anna", email="anna@shop.nl"), api_token("Privacy officer")
    path = "/profiles/email:anna@shop.nl"
    assert post(f"{path}/restrict/", headers).status_code == 400
    for _time in range(2):
        answer = post(f"{path}/restrict/", headers, reason="anna@shop.nl asked for it")
        assert answer.status_code == 200 and answer.json()["restricted_at"]
    row = AccessLog.objects.filter(action="profile.restricted", object_id=str(anna.uuid)).first()
    assert row is not None and row.detail["reason"] == "… asked for it"
    assert post(f"{path}/lift-restriction/", headers, reason="settled").json()["restricted_at"] is None
    assert post(f"{path}/restrict/", api_token("Marketer"), reason="x").status_code == 403


def test_people_are_merged_and_unmerged(api_token: Token) -> None:
    anna, bert, headers = written("anna", city="Gent"), written("bert", job="baker"), api_token("Marketer")
    for _time in range(2):
        answer = post(f"/profiles/{anna.uuid}/merge/", headers, profile_id="user_id:bert")
        assert answer.status_code == 200, answer.content
        assert answer.json()["id"] == str(anna.uuid)
        assert answer.json()["traits"] == {"city": "Gent", "job": "baker"}
    assert AccessLog.objects.filter(action="profile.merged").count() == 1
    for _time in range(2):
        answer = post(f"/profiles/{anna.uuid}/unmerge/", headers, profile_id=str(bert.uuid))
        assert answer.status_code == 200, answer.content
        assert answer.json()["profile"]["traits"] == {"city": "Gent"}
        assert answer.json()["unmerged"]["id"] == str(bert.uuid)
        assert answer.json()["unmerged"]["traits"] == {"job": "baker"}
    assert AccessLog.objects.filter(action="profile.unmerged").count() == 1
    again = post(f"/profiles/{anna.uuid}/merge/", headers, profile_id=str(bert.uuid))
    assert again.status_code == 200, "a merge by hand takes back that they are two"
    cees = written("cees")
    for path, body, status in (
        (f"/profiles/{anna.uuid}/unmerge/", {"profile_id": str(cees.uuid)}, 409),
        (f"/profiles/{cees.uuid}/unmerge/", {"profile_id": str(bert.uuid)}, 409),
        (f"/profiles/{anna.uuid}/merge/", {"profile_id": "user_id:nobody"}, 400),
        (f"/profiles/{anna.uuid}/merge/", {"profile": "x"}, 400),
        ("/profiles/user_id:nobody/merge/", {"profile_id": str(bert.uuid)}, 404),
    ):
        assert post(path, headers, **body).status_code == status, path
    assert post(f"/profiles/{anna.uuid}/merge/", api_token("Analyst"), profile_id=str(cees.uuid)).status_code == 403


def test_an_erasure_is_asked_for_and_followed(api_token: Token) -> None:
    anna, headers = written("anna", email="anna@shop.nl"), api_token("Privacy officer")
    assert post("/erasures/", api_token("Marketer"), profile_id=str(anna.uuid), reason="x").status_code == 403
    answer = post("/erasures/", headers, profile_id="email:anna@shop.nl", reason="asked by mail")
    assert answer.status_code == 202, answer.content
    assert (answer.json()["id"], answer.json()["state"]) == (str(anna.uuid), "waiting")
    assert Profile.objects.alive().filter(pk=anna.pk).exists()
    Erasure.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert go_on_with_erasures() == 1
    receipt = Client().get(answer["Location"], headers=headers).json()
    assert receipt["state"] == "done" and receipt["removed"]["profiles_identifier"] == 2
    assert receipt["requested_by"].startswith(("token:", "user:"))
    again = post("/erasures/", headers, profile_id=str(anna.uuid), reason="again")
    assert (again.status_code, again.json()["state"]) == (202, "done")
    assert Erasure.objects.count() == 1 and not Identifier.objects.exists()
    (row,) = Client().get(f"{API}/erasures/", headers=headers).json()["results"]
    assert row["id"] == str(anna.uuid)
    assert post("/erasures/", headers, profile_id="user_id:nobody", reason="x").status_code == 400
    assert Client().get(f"{API}/erasures/{written('bert').uuid}/", headers=headers).status_code == 404


def test_a_suppression_is_lifted_but_an_erasure_only_by_name(api_token: Token) -> None:
    headers = api_token("Privacy officer")
    for reason in ("manual", "complaint"):
        assert post("/suppression/", headers, value="anna@shop.nl", reason=reason).status_code == 201
    digest = Suppression.objects.values_list("digest", flat=True)[0]
    Suppression.objects.create(digest=digest, kind="email", reason="erasure", key_chain="")
    assert post("/suppression/lift/", headers, value="anna@shop.nl").status_code == 400, "a note is asked"
    for _time in range(2):
        answer = post("/suppression/lift/", headers, value="Anna@shop.nl", note="she asked").json()
        assert answer["suppressed"] is True
        assert {row["reason"] for row in answer["entries"] if row["lifted_at"] is None} == {"erasure"}
    answer = post("/suppression/lift/", headers, value="anna@shop.nl", reason="erasure", note="came back").json()
    assert answer["suppressed"] is False
    assert AccessLog.objects.filter(action="suppression.lifted").count() == 3
    assert post("/suppression/lift/", api_token("Marketer"), value="x@y.nl", note="x").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_the_catalogue_is_read_and_described(api_token: Token) -> None:
    headers = api_token("Marketer")
    send(source(), *(track(f"t{n}", "Ordered", n, userId="u1", properties={"total": n}) for n in range(4)))
    rows = Client().get(f"{API}/catalogue/?scope=event", headers=headers).json()["results"]
    (row,) = [row for row in rows if row["event"] == "Ordered"]
    assert row["count"] == 4
    path = f"{API}/catalogue/{row['id']}/"
    change = {"description": "An order that was paid"}
    answer = Client().patch(path, change, content_type="application/json", headers=headers)
    assert answer.json()["description"] == change["description"]
    assert Client().patch(path, {"count": 1}, content_type="application/json", headers=headers).status_code == 400
    analyst = api_token("Analyst")
    assert Client().get(path, headers=analyst).status_code == 200
    assert Client().patch(path, change, content_type="application/json", headers=analyst).status_code == 403
    made = post("/catalogue/", headers, scope="trait", path="shoe_size", type="number")
    assert made.status_code == 201, made.content
    assert Client().delete(f"{API}/catalogue/{made.json()['id']}/", headers=headers).status_code == 204
    assert not CatalogueEntry.objects.filter(path="shoe_size").exists()


def test_rejected_events_are_listed_retried_and_dropped(api_token: Token) -> None:
    headers = api_token()
    put(source(), [track("m1", "", userId="u1"), track("m2", "", userId="u2", properties={"email": "x@secret.nl"})])
    drain_inbox(seconds=30)
    listed = Client().get(f"{API}/rejected-events/?state=open&code=no_event_name", headers=headers).json()["results"]
    assert [row["message_id"] for row in listed] == ["m2", "m1"] and "payload" not in listed[0]
    second, first = (f"/rejected-events/{row['id']}" for row in listed)
    shown = Client().get(f"{API}{first}/", headers=headers).json()
    again = post(f"{first}/retry/", headers)
    assert again.status_code == 200, again.content
    drain_inbox(seconds=30)
    assert RejectedMessage.objects.filter(resolved_at=None).count() == 2, "as it was, it fails as it did"
    newest = RejectedMessage.objects.order_by("-pk")[0]
    answer = post(f"/rejected-events/{newest.uuid}/retry/", headers, payload=shown["payload"] | {"event": "Named"})
    assert answer.json()["resolution"] == "replayed"
    assert post(f"/rejected-events/{newest.uuid}/retry/", headers).status_code == 409
    drain_inbox(seconds=30)
    assert Client().get(f"{API}/interactions/?name=Named", headers=headers).json()["results"]
    assert post(f"{second}/drop/", headers).json()["resolution"] == "discarded"
    assert post(f"{first}/drop/", api_token("Privacy officer")).status_code == 403
    assert not Client().get(f"{API}/rejected-events/?state=open", headers=headers).json()["results"]


def test_the_context_of_events_tells_an_analyst_nothing_of_who_it_was(api_token: Token) -> None:
    context = {
        "ip": "203.0.113.77",
        "userAgent": "Firefox of Anna",
        "page": {"path": "/of-anna", "url": "https://shop.nl/?email=anna@shop.nl", "title": "Hello Anna"},
        "campaign": {"name": "for anna", "source": "mail"},
        "device": {"id": "imei-anna", "type": "ios", "name": "Anna's phone"},
        "traits": {"name": "Anna"},
        "anything": {"new": "anna"},
        "locale": "nl-NL",
    }
    send(source(), identify("m1", userId="u1"), track("m2", "Product Viewed", 1, userId="u1", context=context))
    (row,) = Client().get(f"{API}/interactions/?name=Product+Viewed", headers=api_token()).json()["results"]
    assert row["context"]["ip"] == "203.0.113.0" and row["context"]["page"] == context["page"]
    assert row["context"]["userAgent"] == "Firefox of Anna"
    answer = Client().get(f"{API}/interactions/?name=Product+Viewed", headers=api_token("Analyst"))
    (row,) = answer.json()["results"]
    assert row["context"] == {"device": {"type": "ios"}, "locale": "nl-NL"}
    assert "anna" not in answer.content.decode().lower()
