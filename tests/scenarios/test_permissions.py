"""Every address of the site and every route of the API, for each role and for a stranger: who may, who may not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from pytest_django import Settings

from cdp.common.models import ApiToken
from cdp.common.roles import ANALYST, PERMISSIONS, ROLES
from cdp.mailbox.store import MailStore
from tests.scenarios.house import user_of
from tests.scenarios.matrix import ADMIN_MODELS, ANYONE, API, KNOWN, NEVER, PAGES, READ_ONLY
from tests.scenarios.world import SECRETS, make_world

pytestmark = pytest.mark.django_db
STRANGER = ""
READERS = [*ROLES, STRANGER]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ARGUMENTS = {
    "mailbox_mail": ["mail"], "mailbox_html": ["mail"], "profiles:settle_join": ["merge"],
    "profiles:undo_join": ["person", "merge"], "profiles:live_raw": ["raw_id", 0],
    "profiles:rejected_detail": ["rejected"], "profiles:rejected_discard": ["rejected"],
    "profiles:import_act": ["import", "cancel"], "consent:unsubscribe": ["token"], "consent:preferences": ["token"],
    "consent:record": ["record"], "consent:suppression_lift": ["suppression"], "segments:why": ["segment", "person"],
    "campaigns:version_frame": ["version"], "campaigns:message_version": ["message", 1],
    "campaigns:deliveries": ["running"], "campaigns:progress": ["running"],
    "campaigns:delivery": ["running", "delivery"], "campaigns:delivery_mail": ["running", "delivery"],
}  # fmt: skip
BY_ROUTE_WORD = {"uuid": "person", "import_id": "import", "message_id": "message", "campaign_id": "campaign"}


@pytest.fixture
def world(db: None, settings: Settings, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """One of everything."""
    caplog.set_level(logging.CRITICAL, logger="django.request")  # every refusal would be told at length
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    return make_world(MailStore(tmp_path / "mailbox"))


def routes(patterns: list[Any] | None = None, prefix: str = "", spaces: str = "") -> Iterator[tuple[str, URLPattern, str]]:
    """Yield (name, pattern, whole route) of everything that answers."""
    for item in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(item.pattern)
        if isinstance(item, URLPattern):
            yield f"{spaces}{item.name}", item, route
        else:
            yield from routes(item.url_patterns, route, spaces + (f"{item.namespace}:" if item.namespace else ""))


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


def browser_of(role: str) -> Client:
    """Return a browser signed in as that role."""
    client = Client(raise_request_exception=False)
    if role:
        client.force_login(user_of(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def ask(client: Client, method: str, path: str, **options: Any) -> Any:
    """Ask, and leave everything as it was."""
    cookies = deepcopy(client.cookies)
    with transaction.atomic():
        answer = client.generic(method, path, **options)
        client.cookies = cookies
        if not answer.streaming:
            answer.content  # noqa: B018 - templates may be rendered late
        transaction.set_rollback(True)
    return answer


def address(name: str, route: str, world: dict[str, Any]) -> str:
    """Return the address of a name, filled with what the world holds."""
    words: list[Any] = ARGUMENTS.get(name, [])
    if not words:
        holes = [hole.split(":")[-1].rstrip(">") for hole in route.split("<")[1:]]
        names = [hole.split(">")[0] for hole in holes]
        words = [BY_ROUTE_WORD.get(word) or ("purpose" if name.startswith("consent:") else slug_of(name)) for word in names]
    values = [_value(world.get(word, word) if isinstance(word, str) else word) for word in words]
    return reverse(name, args=values)


def slug_of(name: str) -> str:
    """Return what the slug in an address names."""
    return "segment" if name.startswith("segments:") else "source"


def _value(thing: Any) -> Any:
    for key in ("slug", "uuid", "pk"):
        if value := getattr(thing, key, None):
            return value
    return thing


def wrong(role: str, need: str, answer: Any) -> bool:
    """Tell whether an answer is not the one that this role should get."""
    status = answer.status_code
    if status >= 500:
        return status != 503  # the probe of a house without worker and beat
    to_login = status == 302 and "/login/?next=" in answer.get("Location", "")
    refused = status in (401, 403) or to_login
    if need == NEVER:
        return not (refused or status == 405)
    return refused == may(role, need)


@pytest.mark.parametrize("role", READERS)
def test_pages_open_for_whom_they_should(role: str, world: dict[str, Any]) -> None:
    client = browser_of(role)
    faults = []
    for name, _pattern, route in routes():
        if name not in PAGES or name == "api-root":
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


def api_arguments(name: str, world: dict[str, Any]) -> list[Any]:
    """Return what the address of an API route holds."""
    kind, _dash, action = name.rpartition("-") if not name.endswith("rotate-key") else ("sources", "-", "rotate")
    if action in ("list", "preview") or name == "suppression-check":
        return []
    keys = {
        "profiles": world["person"].uuid, "sources": world["source"].pk, "imports": world["import"].pk,
        "consent-records": world["record"].pk, "purposes": world["purpose"].slug, "permissions": world["person"].uuid,
        "segments": world["segment"].slug, "messages": world["message"].pk, "campaigns": world["campaign"].pk,
        "deliveries": world["delivery"].uuid,
    }  # fmt: skip
    return [keys[kind]]


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
            there = answer.status_code != 404 and not (answer.status_code == 302 and path.endswith(("change/", "delete/")))
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
