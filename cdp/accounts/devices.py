"""Devices from which somebody has logged in: strangers who guess at a name cannot lock its owner out on them."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

SALT = "cdp.accounts.device"
DAYS = 180
#: browsers accept `__Host-` only from HTTPS, for the whole host and without a domain: nobody else can set it
COOKIE = "__Host-device" if settings.HTTPS else "device"


def remember_device(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """Give the browser a signed mark that says whose device it is."""
    value = signing.dumps([_mark(username), secrets.token_urlsafe(12)], salt=SALT)
    response.set_cookie(
        COOKIE, value, max_age=DAYS * 86_400, httponly=True, samesite="Lax", secure=settings.HTTPS, path="/"
    )


def is_known_device(request: Any, username: str) -> bool:
    """Tell whether somebody logged in under this name from here before."""
    try:
        mark, _chance = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=DAYS * 86_400)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    return bool(mark == _mark(username))


def _mark(username: str) -> str:
    return hashlib.sha256(username.encode("utf-8", "replace")).hexdigest()[:32]
