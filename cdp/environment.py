"""Typed readers of the environment. A wrong value stops the start with a sentence that names the variable."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from phonenumbers import SUPPORTED_REGIONS

T = TypeVar("T")

#: values that have stood in examples and tutorials; a start with one of them is refused
KNOWN_SECRETS = frozenset({"changeme", "change-me", "secret", "insecure", "password", "django-insecure"})


@dataclass(frozen=True)
class MailServer:
    """Where campaign mail is handed over."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    implicit_tls: bool = False
    start_tls: bool = False


class Environment:
    """Read variables of the process, or of the file that `<NAME>_FILE` names."""

    def __init__(self, source: dict[str, str] | None = None) -> None:
        self._source = dict(os.environ if source is None else source)

    def _raw(self, name: str) -> str | None:
        value = self._source.get(name)
        if value:
            return value
        file_name = self._source.get(f"{name}_FILE")
        if not file_name:
            return None
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {file_name}: {error.strerror}") from error

    def given(self, name: str) -> bool:
        """Tell whether the variable, or its file, has a value."""
        return self._raw(name) is not None

    def text(self, name: str, default: str) -> str:
        """Return a string."""
        return self._raw(name) or default

    def country(self, name: str, default: str) -> str:
        """Return a country by its two letters."""
        code = self.text(name, default).upper()
        if code not in SUPPORTED_REGIONS:
            raise ImproperlyConfigured(f"{name} must be a country of two letters, such as NL, not {code!r}.")
        return code

    def strings(self, name: str, default: list[str]) -> list[str]:
        """Return a comma-separated list."""
        raw = self._raw(name)
        return [part.strip() for part in raw.split(",") if part.strip()] if raw else default

    def integer(self, name: str, default: int) -> int:
        """Return a whole number."""
        raw = self._raw(name)
        if raw is None:
            return default
        try:
            return int(raw)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}") from None

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """Return what `parse` makes of the text (of an empty one when unset); its ValueError stops the start."""
        try:
            return parse(self._raw(name) or "")
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}") from None

    def boolean(self, name: str, default: bool) -> bool:
        """Return a truth value written 1/0, true/false, yes/no or on/off."""
        raw = self._raw(name)
        if raw is None:
            return default
        if raw.lower() in {"1", "true", "yes", "on"}:
            return True
        if raw.lower() in {"0", "false", "no", "off"}:
            return False
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}")

    def path(self, name: str, default: Path) -> Path:
        """Return an absolute path."""
        raw = self._raw(name)
        return Path(raw).expanduser().resolve() if raw else default

    def secret(self, name: str, default: str | None = None) -> str:
        """Return a secret of 32 characters or more; refuse a missing, short or well-known one."""
        value = self._raw(name) or default
        if not value:
            raise ImproperlyConfigured(
                f"{name} is not set, and must be when DATABASE_URL is. Make one: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        if len(value) < 32 or any(value.lower().startswith(known) for known in KNOWN_SECRETS):
            raise ImproperlyConfigured(f"{name} is too short or well known; give 32 random characters or more")
        return value

    def hosts(self, name: str, site_url: str) -> list[str]:
        """Return the host names that may be asked for: those given, or the host of the site and loopback."""
        given = self.strings(name, [])
        if "*" in given:
            raise ImproperlyConfigured(f"{name} may not be *: links and resets would follow any Host header")
        host = urlsplit(site_url).hostname
        if not host:
            raise ImproperlyConfigured(
                f"SITE_URL must be a whole URL such as https://cdp.example.org, not {site_url!r}"
            )
        return given or sorted({host, "localhost", "127.0.0.1", "[::1]"})

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Return Django's settings for a PostgreSQL URL."""
        raw = self._raw(name) or default
        config = dict(environ.Env.db_url_config(raw))
        if "postgresql" not in str(config.get("ENGINE", "")):
            raise ImproperlyConfigured(f"{name} must begin with postgres:// (Klantbeeld runs on PostgreSQL only)")
        config["HOST"] = unquote(config.get("HOST", ""))  # a socket folder comes quoted
        return config

    def mail_server(self, name: str, default: str) -> MailServer:
        """Return the server of smtp://user:password@host:port (smtp+tls: STARTTLS, smtps: TLS from the start)."""
        raw = self._raw(name) or default
        parts = urlsplit(raw)
        ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
        if parts.scheme not in ports or not parts.hostname:
            raise ImproperlyConfigured(f"{name} must look like smtp+tls://user:password@host:587")
        return MailServer(
            host=parts.hostname,
            port=parts.port or ports[parts.scheme],
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            implicit_tls=parts.scheme == "smtps",
            start_tls=parts.scheme == "smtp+tls",
        )
