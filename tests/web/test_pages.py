"""What stands before Django, on the real server: bodies, files, exports, static files, refusals."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from cdp.web.routes import NAMELESS_BYTES, USUAL_BYTES
from profiles.models import Import, Profile
from tests.live import Site

STATIC = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


@pytest.fixture
def asked(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, timeout=60, trust_env=False) as client:
        yield client


def session_of(client: Client) -> dict[str, str]:
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"}


def test_what_is_too_large_is_refused_unread_in_the_language_of_the_reader(
    asked: httpx.Client, site: Site, api_token: Callable[..., dict[str, str]]
) -> None:
    answer = asked.post("/login/", content=b"x" * (NAMELESS_BYTES + 1), headers={"Accept-Language": "nl"})
    assert answer.status_code == 413 and answer.headers["content-type"].startswith("text/html")
    assert "<html" in answer.text and "0.0625" in answer.text and answer.headers["cache-control"] == "no-store"
    content = b" " * (USUAL_BYTES + 1)
    answer = asked.post("/api/v1/profiles/", content=content, headers=api_token())
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    answer = asked.post("/api/v1/profiles/", content=b" " * (NAMELESS_BYTES + 1))
    assert answer.status_code == 413, "without a token less is read"
    with socket.create_connection(("localhost", urlsplit(site.url).port or 0), timeout=20) as line:
        line.sendall(b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000000\r\n\r\nx")
        assert line.recv(4096).startswith(b"HTTP/1.1 413"), "at the first byte"


def test_a_body_of_unknown_length_reaches_django(asked: httpx.Client, api_token: Callable[..., dict[str, str]]) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"identifiers": [{"kind": "email", '
        yield b'"value": "pieces@shop.example"}], "odd": 1}'

    headers = {**api_token(), "Content-Type": "application/json"}
    answer = asked.post("/api/v1/profiles/", content=pieces(), headers=headers)
    assert "odd" in answer.text, answer.text


def test_a_file_is_taken_from_those_who_may_import_and_unread_from_others(
    asked: httpx.Client, client_as: Callable[[str], Client]
) -> None:
    lines = b"email,note\n" + b"".join(b"a%d@shop.example,%s\n" % (n, b"x" * 1000) for n in range(6000))
    assert len(lines) > USUAL_BYTES
    for role, status in (("Analyst", 403), ("Marketer", 302)):
        headers = session_of(client_as(role))
        page = asked.get("/imports/", headers=headers)
        token = page.cookies.get("csrftoken", "")
        headers = {"Cookie": f"{headers['Cookie']}; csrftoken={token}"}
        form = {"csrfmiddlewaretoken": token}
        answer = asked.post("/imports/new/", data=form, files={"file": ("a.csv", lines)}, headers=headers)
        assert answer.status_code == status, (role, answer.text[:500])
        asked.cookies.clear()
    assert Import.objects.count() == 1
    nobody = asked.post("/imports/new/", files={"file": ("a.csv", lines)}, headers={"Cookie": "sessionid=nothing"})
    assert nobody.status_code in (302, 403) and "/login/" in nobody.headers.get("location", "/login/")


def test_an_export_of_any_length_is_made_while_it_is_sent(
    asked: httpx.Client, client_as: Callable[[str], Client]
) -> None:
    Profile.objects.bulk_create(
        Profile(display_name=f"Anna {number:06}", first_seen_at=timezone.now()) for number in range(30_000)
    )
    client = client_as("Administrator")
    User.objects.update(is_superuser=True)
    headers = session_of(client) | {"Accept-Language": "nl"}
    answer = asked.get("/people/?export=csv", headers=headers)
    assert answer.status_code == 200 and answer.headers["content-disposition"] == 'attachment; filename="people.csv"'
    lines = answer.text.splitlines()
    assert len(lines) == 30_001
    assert "Anna 000000" in answer.text and "Anna 029999" in answer.text
    assert asked.head("/people/?export=csv", headers=headers).content == b""


def test_static_files(asked: httpx.Client) -> None:
    whole = asked.get(STATIC, headers={"Accept-Encoding": "identity"})
    assert whole.status_code == 200 and len(whole.content) > 1_000_000
    assert whole.headers["content-type"].startswith("text/javascript")
    assert whole.headers["x-content-type-options"] == "nosniff" and "max-age" in whole.headers["cache-control"]
    assert int(whole.headers["content-length"]) == len(whole.content)
    fresh = asked.get(STATIC, headers={"If-None-Match": whole.headers["etag"]})
    assert (fresh.status_code, fresh.content) == (304, b"")
    since = asked.get(STATIC, headers={"If-Modified-Since": whole.headers["last-modified"]})
    assert since.status_code == 304
    head = asked.head(STATIC, headers={"Accept-Encoding": "identity"})
    assert head.content == b"" and head.headers["content-length"] == whole.headers["content-length"]
    part = asked.get(STATIC, headers={"Range": "bytes=100000-299999", "Accept-Encoding": "identity"})
    assert (part.status_code, part.content) == (206, whole.content[100_000:300_000])
    assert asked.get(STATIC, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert asked.post(STATIC).status_code == 405
    for nothing in ("/static/nothing.js", "/static/../cdp/settings.py", "/static/%2e%2e/manage.py", "/static/"):
        assert asked.get(nothing).status_code == 404
    assert asked.get("/static/css/tokens.css").status_code == 200
