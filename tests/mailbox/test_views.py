"""The mailbox page: whose it is, and that a mail's HTML cannot act."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from cdp.mailbox.store import MailStore

pytestmark = pytest.mark.django_db

MAIL = (
    b"From: Shop <hello@shop.example>\r\nTo: anna@example.org\r\nSubject: Autumn <b>sale</b>\r\n"
    b"List-Unsubscribe: <http://localhost:8000/u/token/>\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hi</p><script>alert(1)</script>\r\n"
)


@pytest.fixture
def captured(settings: Settings, tmp_path: Path) -> str:
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    box = MailStore(tmp_path / "mailbox")
    return box.add(sender="b@shop.example", recipients=["anna@example.org"], content=MAIL)


def test_staff_see_the_mail_escaped(captured: str, client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    listing = client.get("/mailbox/").content.decode()
    assert "anna@example.org" in listing
    assert "Autumn &lt;b&gt;sale&lt;/b&gt;" in listing
    page = client.get(f"/mailbox/{captured[:26]}/").content.decode()
    assert "http://localhost:8000/u/token/" in page
    assert "<script>alert" not in page


def test_the_html_part_comes_with_a_policy_that_runs_nothing(captured: str, client_as: Callable[[str], Client]) -> None:
    response = client_as("Marketer").get(f"/mailbox/{captured[:26]}/html/")
    policy = response["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy


def test_search_that_finds_nothing_says_so(captured: str, client_as: Callable[[str], Client]) -> None:
    assert "No mail to that recipient" in client_as("Marketer").get("/mailbox/?search=nobody").content.decode()


def test_emptying_asks_for_a_post(captured: str, client_as: Callable[[str], Client]) -> None:
    client = client_as("Marketer")
    assert client.get("/mailbox/clear/").status_code == 405
    client.post("/mailbox/clear/")
    assert client.get(f"/mailbox/{captured[:26]}/").status_code == 404


def test_strangers_log_in_first_and_others_are_refused(captured: str, client: Client, django_user_model: type) -> None:
    assert client.get("/mailbox/").status_code == 302
    client.force_login(
        django_user_model.objects.create_user("guest", password="x"),  # type: ignore[attr-defined]
        backend="django.contrib.auth.backends.ModelBackend",
    )
    assert client.get("/mailbox/").status_code == 403


def test_there_is_no_mailbox_where_mail_is_really_sent(
    captured: str, settings: Settings, client_as: Callable[[str], Client]
) -> None:
    settings.CAPTURE_MAIL = False
    assert client_as("Administrator").get("/mailbox/").status_code == 404


@pytest.mark.parametrize(
    "charset", ["x-unknown", "hex", "punycode", "undefined", "utf-8", "utf-16", "us-ascii", "'", "\u20ac"]
)
@pytest.mark.parametrize("kind", ["html", "plain"])
def test_a_mail_in_a_charset_that_means_nothing_is_shown(
    settings: Settings, tmp_path: Path, client_as: Callable[[str], Client], charset: str, kind: str
) -> None:
    settings.VAR_DIR, settings.CAPTURE_MAIL = tmp_path, True
    named = charset.encode()
    content = (
        b"From: =?" + named + b"?B?gIGC?= <a@shop.example>\r\nSubject: =?" + named + b"?Q?=80=81?= \xff\r\n"
        b"To: \xff\xfe@[\r\nDate: never\r\nMessage-ID: <\r\n"
        b"Content-Type: text/" + kind.encode() + b"; charset=" + named + b"\r\n\r\n<p>Hi \xff\xd8\x00 there</p>\r\n"
    )
    name = MailStore(tmp_path / "mailbox").add(sender="a", recipients=["b@example.org"], content=content)
    client = client_as("Marketer")
    assert client.get("/mailbox/").status_code == 200
    assert client.get(f"/mailbox/{name[:26]}/").status_code == 200
    assert client.get(f"/mailbox/{name[:26]}/html/").status_code == (200 if kind == "html" else 404)
