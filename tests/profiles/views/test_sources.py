"""The pages of sources."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cdp.common.roles import ADMINISTRATOR, ANALYST, MARKETER, PRIVACY
from profiles.collector.keys import digest_of
from profiles.models import RefusedRequest, Source, SourceCounter
from profiles.services.sources import create_source

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]


def test_who_may_see_and_who_may_change(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    detail = reverse("profiles:source", args=[source.slug])
    rotate = reverse("profiles:source_rotate", args=[source.slug])
    for role, sees in ((ADMINISTRATOR, 200), (MARKETER, 200), (ANALYST, 403), (PRIVACY, 403)):
        assert client_as(role).get(detail).status_code == sees
        assert client_as(role).get(reverse("profiles:sources")).status_code == sees
    for role in (MARKETER, ANALYST, PRIVACY):
        assert client_as(role).post(rotate, {"overlap_hours": 0}).status_code == 403
        assert client_as(role).get(reverse("profiles:source_new")).status_code == 403
    assert Client().get(detail).status_code == 302


def test_a_secret_key_is_shown_once(client_as: ClientAs) -> None:
    client = client_as(ADMINISTRATOR)
    answer = client.post(reverse("profiles:source_new"), {"name": "Till", "kind": "server", "allowed_origins": ""})
    assert answer.status_code == 201
    source = Source.objects.get(name="Till")
    key = answer.context["new_key"]
    assert digest_of(key) == source.key_digest
    assert answer.content.decode().count(key) > 1, "in the box and in the lines to paste"
    assert "no-store" in answer["Cache-Control"]
    assert key not in client.get(reverse("profiles:source", args=[source.slug])).content.decode()


def test_a_wrong_origin_is_named_at_its_field(client_as: ClientAs) -> None:
    answer = client_as(ADMINISTRATOR).post(
        reverse("profiles:source_new"), {"name": "Shop", "kind": "browser", "allowed_origins": "shop.example"}
    )
    assert answer.status_code == 422
    assert "shop.example" in str(answer.context["form"].errors["allowed_origins"])


def test_the_counts_add_up_and_the_wait_ends(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    url = reverse("profiles:source_counts", args=[source.slug])
    client = client_as(MARKETER)
    assert "Waiting for the first event" in client.get(url).content.decode()
    SourceCounter.objects.create(
        source=source, hour=timezone.now(), received=1250, stored=1200, duplicate=40, rejected=10
    )
    Source.objects.filter(pk=source.pk).update(last_seen_at=timezone.now())
    text = client.get(url).content.decode()
    assert "Waiting for the first event" not in text
    for number in ("1,250", "1,200", "40", "10"):
        assert number in text


def test_a_new_key_a_switch_and_an_edit(client_as: ClientAs) -> None:
    client = client_as(ADMINISTRATOR)
    source, old = create_source(name="Shop", kind="browser")
    answer = client.post(reverse("profiles:source_rotate", args=[source.slug]), {"overlap_hours": "24"})
    assert answer.context["new_key"] not in ("", old)
    assert "still works until" in answer.content.decode()
    client.post(reverse("profiles:source_switch", args=[source.slug]), {})
    assert not Source.objects.get(pk=source.pk).enabled
    client.post(reverse("profiles:source_switch", args=[source.slug]), {"enabled": "1"})
    assert Source.objects.get(pk=source.pk).enabled
    client.post(
        reverse("profiles:source_edit", args=[source.slug]), {"name": "Web", "allowed_origins": "https://a.example\n"}
    )
    source.refresh_from_db()
    assert (source.name, source.allowed_origins) == ("Web", ["https://a.example"])


@pytest.mark.parametrize("hours", ["", "-1", "99999", "x"])
def test_a_nonsensical_overlap_changes_nothing(client_as: ClientAs, hours: str) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    answer = client_as(ADMINISTRATOR).post(
        reverse("profiles:source_rotate", args=[source.slug]), {"overlap_hours": hours}
    )
    assert answer.status_code == 302
    assert Source.objects.get(pk=source.pk).key_digest == source.key_digest


def test_a_built_in_source_has_no_buttons(client_as: ClientAs) -> None:
    text = client_as(ADMINISTRATOR).get(reverse("profiles:source", args=["manual"])).content.decode()
    assert "New key" not in text and "Waiting for" not in text
    assert client_as(ADMINISTRATOR).get(reverse("profiles:source_edit", args=["manual"])).status_code == 404


def test_the_api_gives_the_key_once(api_token: Callable[[str], dict[str, str]], client: Client) -> None:
    headers = api_token(ADMINISTRATOR)
    made = client.post("/api/v1/sources/", {"name": "Till", "kind": "server"}, "application/json", headers=headers)
    assert made.status_code == 201
    body = made.json()
    assert body["write_key"].startswith("kb_sec_") and body["public_key"] == ""
    one = client.get(f"/api/v1/sources/{body['id']}/", headers=headers).json()
    assert "write_key" not in one and one["counts"]["received"] == 0
    rotated = client.post(f"/api/v1/sources/{body['id']}/rotate-key/", {}, "application/json", headers=headers)
    assert rotated.json()["write_key"] != body["write_key"]
    off = client.patch(f"/api/v1/sources/{body['id']}/", {"enabled": False}, "application/json", headers=headers)
    assert off.json()["enabled"] is False
    wrong = client.post("/api/v1/sources/", {"name": "", "kind": "x"}, "application/json", headers=headers)
    assert wrong.status_code == 400 and wrong.json()["code"]
    assert client.get("/api/v1/sources/?search=til", headers=api_token(MARKETER)).json()["results"][0]["name"] == "Till"
    assert client.post("/api/v1/sources/", {}, "application/json", headers=api_token(MARKETER)).status_code == 403


def _refused(**values: Any) -> RefusedRequest:
    now = timezone.now()
    defaults = {"code": "not_found", "path": "/v2/track", "user_agent": "analytics-python/1.4", "count": 34}
    return RefusedRequest.objects.create(
        key=uuid.uuid4(), **{"first_at": now - timedelta(minutes=5), "last_at": now, **defaults, **values}
    )


def test_an_sdk_that_is_set_up_wrong_is_shown_as_what_it_is(client_as: ClientAs) -> None:
    source, _key = create_source(name="Shop", kind="browser")
    other, _key = create_source(name="Till", kind="server")
    _refused()
    _refused(code="invalid_key", path="/v1/track", key_start="kb_sec_a1B2…", user_agent="<b>x</b>")
    _refused(code="source_disabled", path="/v1/track", source=other, count=7)
    _refused(code="origin_not_allowed", path="/v1/t", source=source, origin="https://shop.example")
    _refused(code="origin_not_allowed", path="/v1/t", origin="https://elsewhere.example")
    _refused(path="", user_agent="", count=5_000)
    client = client_as(MARKETER)
    text = client.get(reverse("profiles:sources")).content.decode()
    for part in ("/v2/track", "analytics-python/1.4", "34", "meant may be", "/v1/track", "kb_sec_a1B2…", "5,000"):
        assert part in text
    assert "<b>x</b>" not in text
    of_source = client.get(reverse("profiles:source_counts", args=[source.slug])).content.decode()
    assert "https://shop.example" in of_source and "https://elsewhere.example" in of_source
    assert "/v2/track" not in of_source, "whose it is, is not known"
    of_other = client.get(reverse("profiles:source_counts", args=[other.slug])).content.decode()
    assert "Source is off" in of_other and "https://shop.example" not in of_other


def test_only_what_goes_on_waits_for_a_person(client_as: ClientAs) -> None:
    now = timezone.now()
    line = "Senders that are set up wrong"
    client = client_as(MARKETER)

    def home() -> str:
        return client.get(reverse("home")).content.decode()

    _refused(count=99, first_at=now - timedelta(hours=5))  # few
    _refused(count=5_000)  # just begun
    _refused(count=5_000, first_at=now - timedelta(days=3), last_at=now - timedelta(days=1))  # over
    _refused(count=5_000, first_at=now - timedelta(hours=5), path="")  # made up by somebody
    assert line not in home()
    _refused(count=100, first_at=now - timedelta(hours=5))
    assert line in home()
    assert reverse("profiles:sources") + "#refused" in home()
