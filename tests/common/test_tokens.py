"""API tokens: a request gets what both the user and the token's scopes allow, until the token ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from cdp.common.models import TOKEN_PREFIX, AccessLog, ApiToken
from cdp.common.roles import ADMINISTRATOR, ANALYST, MARKETER, PERMISSIONS
from cdp.common.token_scopes import SCOPES
from cdp.common.token_use import use_token
from tests.profiles.factories import make_profile
from tests.scenarios.matrix import API

pytestmark = pytest.mark.django_db
UserAs = Callable[[str], User]
ClientAs = Callable[[str], Client]
PEOPLE, MADE_AT = "/api/v1/profiles/", "/admin/common/apitoken/add/"


def bearer(user: User, *scopes: str, **fields: object) -> dict[str, str]:
    """Return the headers of a new token with these scopes."""
    _row, secret = ApiToken.issue(user=user, name="test", scopes=scopes, **fields)  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {secret}"}


def program(role: str) -> User:
    """Make a user that cannot log in."""
    user = User.objects.create_user("program")
    user.groups.add(Group.objects.get(name=role))
    return user


def test_every_permission_of_the_api_is_in_a_scope_and_in_the_table_of_roles() -> None:
    given = {name for scope in SCOPES.values() for name in scope.permissions}
    asked = {part for methods in API.values() for need in methods.values() for part in need.split("+") if "." in part}
    assert asked <= given
    assert given <= set(PERMISSIONS)


@pytest.mark.parametrize("superuser", [False, True])
def test_a_token_may_what_its_scope_gives_and_no_more(user_as: UserAs, superuser: bool) -> None:
    user = user_as(ADMINISTRATOR)
    User.objects.filter(pk=user.pk).update(is_superuser=superuser)
    make_profile(name="Anna Vos")
    headers = bearer(user, "people:read", "people:pii")
    assert Client().get(PEOPLE, headers=headers).status_code == 200
    for path in ("/api/v1/segments/", "/api/v1/campaigns/", "/api/v1/consent-records/"):
        refused = Client().get(path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing"), path
    refused = Client().post(PEOPLE, {}, content_type="application/json", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert "people:write" in refused.json()["message"]


def test_a_scope_gives_nothing_that_the_user_may_not(user_as: UserAs) -> None:
    headers = bearer(user_as(ANALYST), *SCOPES)
    refused = Client().post(PEOPLE, {}, content_type="application/json", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("role", [MARKETER, ADMINISTRATOR])
def test_masking_obeys_the_scopes(user_as: UserAs, role: str) -> None:
    user = user_as(role)
    make_profile(name="Anna Vos", email="anna.vos@example.org")
    path = PEOPLE
    masked = Client().get(path, headers=bearer(user, "people:read")).content.decode()
    seen = Client().get(path, headers=bearer(user, "people:read", "people:pii")).content.decode()
    assert "Vos" in seen
    assert "Vos" not in masked and "anna.vos" not in masked


def test_a_token_expires(user_as: UserAs) -> None:
    user, now = user_as(MARKETER), timezone.now()
    fresh = bearer(user, "people:read", expires_at=now + timedelta(minutes=5))
    assert Client().get(PEOPLE, headers=fresh).status_code == 200
    old = Client().get(PEOPLE, headers=bearer(user, "people:read", expires_at=now - timedelta(seconds=1)))
    assert (old.status_code, old.json()["code"]) == (401, "token_expired")


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        ([], "198.51.100.7", 200),
        (["198.51.100.0/24"], "198.51.100.7", 200),
        (["198.51.100.0/24"], "::ffff:198.51.100.7", 200),
        (["198.51.100.0/24"], "203.0.113.7", 401),
        (["2001:db8::/32"], "2001:db8::1", 200),
        (["2001:db8::/32"], "198.51.100.7", 401),
        (["198.51.100.7/32"], "no address", 401),
    ],
)
def test_a_token_may_be_bound_to_networks(user_as: UserAs, networks: list[str], address: str, status: int) -> None:
    headers = bearer(user_as(MARKETER), "people:read", networks=networks)
    answer = Client(REMOTE_ADDR=address).get(PEOPLE, headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "token_network"


def test_a_token_of_somebody_who_left_is_dead(user_as: UserAs) -> None:
    user = user_as(MARKETER)
    headers = bearer(user, "people:read")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert Client().get(PEOPLE, headers=headers).status_code == 401
    User.objects.filter(pk=user.pk).update(is_active=True)
    user.groups.clear()
    assert Client().get(PEOPLE, headers=headers).status_code == 403


def test_narrowing_one_request_leaves_the_user_alone(user_as: UserAs) -> None:
    user = user_as(MARKETER)
    _row, secret = ApiToken.issue(user=user, name="t", scopes=["segments:read"])
    narrowed, _token = use_token(secret, address=None)
    assert narrowed.has_perm("segments.view_segment") and not narrowed.has_perm("profiles.view_profile")
    assert narrowed.get_all_permissions() == {"segments.view_segment"}
    assert narrowed.has_module_perms("segments") and not narrowed.has_module_perms("profiles")
    assert not narrowed.has_perms(["segments.view_segment", "profiles.view_pii"])
    assert User.objects.get(pk=user.pk).has_perm("profiles.view_profile")


def test_the_page_makes_a_token_for_a_year(client_as: ClientAs, user_as: UserAs) -> None:
    client, owner = client_as(ADMINISTRATOR), user_as(ADMINISTRATOR)
    shown = client.get(MADE_AT).content.decode()
    assert "people:pii" in shown and "See names and addresses unmasked" in shown
    year = (timezone.localdate() + timedelta(days=365)).isoformat()
    assert year in shown
    wanted = {"name": "Shop", "user": owner.pk, "scopes": ["people:read"], "expires_on": year}
    made = client.post(MADE_AT, {**wanted, "networks": "198.51.100.7, 2001:db8::/32"})
    assert "no-store" in made["Cache-Control"]
    found = re.search(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}", made.content.decode())
    token = ApiToken.objects.get()
    assert found and token.digest == ApiToken.digest_of(found[0])
    assert token.scopes == ["people:read"] and token.networks == ["198.51.100.7/32", "2001:db8::/32"]
    assert token.expires_at and timezone.localdate(token.expires_at).isoformat() == year
    entry = AccessLog.objects.get(action="token.issued")
    assert entry.object_id == str(token.uuid) and entry.detail["scopes"] == ["people:read"]
    assert found[0] not in str(entry.detail) and token.digest not in str(entry.detail)
    client.post(f"/admin/common/apitoken/{token.pk}/change/", {"name": "Web shop", "scopes": list(SCOPES)})
    token.refresh_from_db()
    assert (token.name, token.scopes) == ("Web shop", ["people:read"])
    assert AccessLog.objects.get(action="token.renamed").detail["before"] == "Shop"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scopes": []}, "required"),
        ({"scopes": ["everything"]}, "not one of the available choices"),
        ({"expires_on": "2020-01-01"}, "has passed"),
        ({"networks": "10.0.0.0/99"}, "no address or network"),
    ],
)
def test_the_page_refuses_what_makes_no_sense(
    client_as: ClientAs, user_as: UserAs, change: dict[str, object], told: str
) -> None:
    wanted = {"name": "Shop", "user": user_as(ADMINISTRATOR).pk, "scopes": ["people:read"], "expires_on": ""}
    answer = client_as(ADMINISTRATOR).post(MADE_AT, {**wanted, "networks": "", **change})
    assert told in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_nobody_makes_a_token_that_acts_as_a_colleague(client_as: ClientAs, user_as: UserAs) -> None:
    client, colleague = client_as(ADMINISTRATOR), user_as(MARKETER)
    wanted = {"name": "Shop", "scopes": ["people:read"], "expires_on": "", "networks": ""}
    client.post(MADE_AT, {**wanted, "user": colleague.pk})
    assert not ApiToken.objects.exists()
    shop = program(ANALYST)
    beyond = client.post(MADE_AT, {**wanted, "user": shop.pk, "scopes": ["people:read", "people:pii"]})
    assert "people:pii" in beyond.content.decode() and not ApiToken.objects.exists()
    client.post(MADE_AT, {**wanted, "user": shop.pk})
    assert ApiToken.objects.get().user == shop
