"""What every address tells browsers and caches, for whoever asks and however it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from cdp.common.roles import ADMINISTRATOR
from tests.scenarios.matrix import API, PAGES
from tests.scenarios.walk import address, api_arguments, ask, browser_of, routes

pytestmark = pytest.mark.django_db
LINKS = ("consent:unsubscribe", "consent:preferences")


def faults_of(path: str, answer: Any) -> list[str]:
    """Return what is wrong with an answer's headers."""
    want = {
        "Cache-Control": "no-store",
        "Permissions-Policy": "camera=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "credentialless",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "frame-ancestors",
    }
    found = [f"{path} ({answer.status_code}): {name} is {answer.get(name)!r}" for name, part in want.items()
             if part not in answer.get(name, "")]  # fmt: skip
    if answer.get("Referrer-Policy") not in ("same-origin", "no-referrer"):
        found.append(f"{path}: Referrer-Policy is {answer.get('Referrer-Policy')!r}")
    return found


@pytest.mark.parametrize("role", [ADMINISTRATOR, ""])
def test_every_page_and_route_has_its_headers(role: str, world: dict[str, Any]) -> None:
    client, faults = browser_of(role), []
    for name, _pattern, route in routes():
        if name not in PAGES or name == "api-root":
            continue
        path = address(name, route, world)
        for method in ("GET", "POST"):
            answer = ask(client, method, path, content_type="application/x-www-form-urlencoded")
            faults += faults_of(f"{method} {path}", answer)
            if name in LINKS and answer.get("Referrer-Policy") != "no-referrer":
                faults.append(f"{method} {path}: tells its key to the next page")
    for name in API:
        path = reverse(name, args=api_arguments(name, world))
        for method in ("GET", "POST"):
            faults += faults_of(
                f"{method} {path}", ask(client, method, path, data=b"{}", content_type="application/json")
            )
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        faults += faults_of(path, ask(client, "GET", path))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "path", ["/no-such-page/", "/api/v1/nothing/", "/u/forged/", "/preferences/forged/", "/admin/x/"]
)
def test_errors_have_them_too(path: str) -> None:
    answer = Client(raise_request_exception=False).get(path)
    assert answer.status_code >= 302
    assert faults_of(path, answer) == []


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:8120@evil.example", "localhost:80:80", "localhost/", "", "[::1"]
)
def test_odd_hosts_are_refused(host: str) -> None:
    answer = Client(raise_request_exception=False).get("/login/", headers={"Host": host})
    assert answer.status_code == 400
    assert b"evil" not in answer.content


def test_behind_https_cookies_are_bound_to_the_host() -> None:
    script = (
        "import django, json; django.setup(); from django.conf import settings as s;"
        "print(json.dumps([s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        "s.SECURE_HSTS_SECONDS]))"
    )
    env = {**os.environ, "SITE_URL": "https://cdp.example.org", "DJANGO_SETTINGS_MODULE": "cdp.settings"}
    told = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    names = ["__Host-sessionid", "__Host-csrftoken", True, True, 31_536_000]
    assert json.loads(told.stdout.splitlines()[-1]) == names
