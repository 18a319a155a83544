"""Every address of the site and every route of the API, for each role and for a stranger: who may, who may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from cdp.common.models import ApiToken
from cdp.common.roles import ANALYST, PERMISSIONS, ROLES
from tests.scenarios.installation import user_of
from tests.scenarios.matrix import ADMIN_MODELS, ANYONE, API, KNOWN, NEVER, PAGES, READ_ONLY
from tests.scenarios.walk import address, api_arguments, ask, browser_of, routes
from tests.scenarios.world import SECRETS

pytestmark = pytest.mark.django_db
STRANGER = ""
READERS = [*ROLES, STRANGER]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def test_every_address_is_in_the_matrix() -> None:
    names = {name for name, _pattern, _route in routes()}
    assert names - {name for name in names if name.startswith("admin:")} == {*PAGES, *API}
    assert {model._meta.label_lower for model in admin.site._registry} == ADMIN_MODELS
    used = {part for entry in PAGES.values() for need in entry for part in need.split("+")}
    used |= {need for methods in API.values() for need in methods.values()}
    assert used - {ANYONE, KNOWN, NEVER} <= set(PERMISSIONS), "every permission is in the table of roles"


def may(role: str, need: str) -> bool:
    """Tell whether a role should be let through."""
    if need in (ANYONE, NEVER):
        return need == ANYONE
    return bool(role) and (need == KNOWN or all(role in PERMISSIONS[part] for part in need.split("+")))


def wrong(role: str, need: str, answer: Any) -> bool:
    """Tell whether an answer is not the one that this role should get."""
    status = answer.status_code
    if status >= 500:
        return bool(status != 503)  # the probe of a installation without worker and beat
    to_login = status == 302 and "/login/?next=" in answer.get("Location", "")
    refused = status in (401, 403) or to_login
    if need == NEVER:
        return not (refused or status == 405)
    return bool(refused) == may(role, need)


@pytest.mark.parametrize("role", READERS)
def test_pages_open_for_whom_they_should(role: str, world: dict[str, Any]) -> None:
    client = browser_of(role)
    faults = []
    for name, _pattern, route in routes():
        if name not in PAGES:
            continue
        path = address(name, route, world)
        for method, need in zip(("GET", "POST"), PAGES[name], strict=True):
            answer = ask(client, method, path, content_type="application/x-www-form-urlencoded")
            if wrong(role, need, answer):
                faults.append(f"{method} {path} ({name}): {answer.status_code}, needs {need}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("role", READERS)
def test_api_routes_open_for_whom_they_should(role: str, world: dict[str, Any]) -> None:
    client = Client(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {ApiToken.issue(user=user_of(role), name='t')[1]}"} if role else {}
    faults = []
    for name, needs in API.items():
        path = reverse(name, args=api_arguments(name, world))
        for method in METHODS:
            answer = ask(client, method, path, data=b"{}", content_type="application/json", headers=headers)
            if wrong(role, needs.get(method, NEVER), answer):
                faults.append(f"{method} {path}: {answer.status_code}, needs {needs.get(method, NEVER)}")
            elif answer.status_code >= 400 and not {"code", "message"} <= set(answer.json()):
                faults.append(f"{method} {path}: an error without code and message: {answer.content[:200]!r}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("role", READERS)
def test_the_staff_site_keeps_to_the_roles(role: str, world: dict[str, Any]) -> None:
    client = browser_of(role)
    faults = []
    for model in admin.site._registry:
        label = model._meta.label_lower
        base = f"admin:{label.replace('.', '_')}_"
        row = model._default_manager.first()
        key = [row.pk if row else 1]
        app = label.partition(".")[0]

        def holds(verb: str, app: str = app, model: Any = model) -> bool:
            return bool(role) and role in PERMISSIONS.get(f"{app}.{verb}_{model._meta.model_name}", ())

        changes = {verb: holds(verb) and label not in READ_ONLY for verb in ("add", "change", "delete")}
        if label == "common.apitoken":
            changes["delete"] = False
        expected = {
            ("GET", reverse(base + "changelist")): holds("view") or changes["change"],
            ("GET", reverse(base + "add")): changes["add"],
            ("POST", reverse(base + "add")): changes["add"],
            ("POST", reverse(base + "change", args=key)): changes["change"],
            ("POST", reverse(base + "delete", args=key)): changes["delete"],
        }
        for (method, path), allowed in expected.items():
            answer = ask(client, method, path, content_type="application/x-www-form-urlencoded")
            there = answer.status_code != 404 and not (
                answer.status_code == 302 and path.endswith(("change/", "delete/"))
            )
            refused = answer.status_code in (403, 405) or "/login/" in answer.get("Location", "")
            if answer.status_code >= 500 or (there and refused == allowed):
                faults.append(f"{method} {path}: {answer.status_code}, should {'open' if allowed else 'be closed'}")
    assert not faults, "\n".join(faults)


def test_an_analyst_reads_no_name_and_no_address(world: dict[str, Any]) -> None:
    """Walk all that an analyst may read, as pages, exports and API, and look for what must be masked."""
    client = browser_of(ANALYST)
    found = []
    for name, _pattern, route in routes():
        if name not in PAGES or not may(ANALYST, PAGES[name][0]) or name.startswith("consent:"):
            continue
        path = address(name, route, world)
        for query in ("", "?export=csv", f"?q=vos&find=vos&reason=&person={world['person'].uuid}"):
            answer = ask(client, "GET", path + query)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            found += [f"{path}{query}: {secret}" for secret in SECRETS if secret in body.decode(errors="replace")]
    token = ApiToken.issue(user=user_of(ANALYST), name="t")[1]
    for name, needs in API.items():
        if may(ANALYST, needs.get("GET", NEVER)):
            path = reverse(name, args=api_arguments(name, world))
            answer = ask(client, "GET", path, headers={"Authorization": f"Bearer {token}"})
            found += [f"{path}: {secret}" for secret in SECRETS if secret in answer.content.decode()]
    assert not found, "\n".join(found)
