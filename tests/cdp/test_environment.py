"""Wrong values stop the start with a sentence that names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from cdp.environment import Environment


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("PORT", "eighty", lambda env: env.integer("PORT", 8000)),
        ("DEMO", "perhaps", lambda env: env.boolean("DEMO", False)),
        ("SECRET_KEY", "changeme-changeme-changeme-changeme-changeme", lambda env: env.secret("SECRET_KEY")),
        ("SECRET_KEY", "short", lambda env: env.secret("SECRET_KEY")),
        ("DATABASE_URL", "mysql://u:p@h/db", lambda env: env.database("DATABASE_URL", "")),
        ("EMAIL_URL", "mail.example.org", lambda env: env.mail_server("EMAIL_URL", "smtp://localhost")),
        ("ALLOWED_HOSTS", "*", lambda env: env.hosts("ALLOWED_HOSTS", "https://cdp.example.org")),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, read: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        read(Environment({name: value}))  # type: ignore[operator]  # a list of lambdas


def test_a_missing_secret_says_how_to_make_one() -> None:
    with pytest.raises(ImproperlyConfigured, match="token_urlsafe"):
        Environment({}).secret("SECRET_KEY")


def test_any_variable_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x" * 40 + "\n")
    env = Environment({"SECRET_KEY_FILE": str(tmp_path / "key")})
    assert env.secret("SECRET_KEY") == "x" * 40
    assert env.given("SECRET_KEY")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FILE"):
        Environment({"SECRET_KEY_FILE": str(tmp_path / "none")}).secret("SECRET_KEY")


def test_a_mail_url_gives_server_login_and_kind_of_tls() -> None:
    server = Environment({"EMAIL_URL": "smtp+tls://me%40x:p%3A@mail.example.org"}).mail_server("EMAIL_URL", "")
    assert (server.host, server.port, server.username, server.password) == ("mail.example.org", 587, "me@x", "p:")
    assert server.start_tls
    assert not server.implicit_tls
