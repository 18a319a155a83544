"""Readers of the walk: the Analyst, and somebody who may do everything but see who people are."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client

from cdp.common.models import ApiToken
from cdp.common.roles import ANALYST, PERMISSIONS
from tests.scenarios.installation import user_of

EVERYTHING_BUT = "Everything but people"
_PII = "profiles.view_pii"


def reader(who: str) -> User:
    """Return the user."""
    if who != EVERYTHING_BUT:
        return user_of(who)
    user, new = User.objects.get_or_create(username="everything-but", defaults={"is_staff": True})
    if new:
        for need in PERMISSIONS:
            app, _dot, code = need.partition(".")
            if need != _PII:
                user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=code))
    return user


def browser(who: str) -> Client:
    """Return a browser signed in as this reader."""
    client = Client(raise_request_exception=False)
    client.force_login(reader(who), backend="django.contrib.auth.backends.ModelBackend")
    return client


def api_headers(who: str) -> dict[str, str]:
    """Return the headers of a program of this reader."""
    return {"Authorization": f"Bearer {ApiToken.issue(user=reader(who), name='walk')[1]}"}


def needs_met(who: str, need: str) -> bool:
    """Tell whether the reader holds all permissions of an entry of the matrix."""
    if need in ("known", "anyone"):
        return True
    if need == "never":
        return False
    if who == EVERYTHING_BUT:
        return _PII not in need.split("+")
    return all(ANALYST in PERMISSIONS[part] for part in need.split("+"))
