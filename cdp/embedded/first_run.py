"""What a first start makes, so that there is something to log in with and to send with: `VAR_DIR/credentials.json`."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from cdp.common.models import ApiToken
from cdp.common.roles import ADMINISTRATOR, ROLES
from cdp.embedded.secret_files import write_private

#: what the token is called in the list of tokens
LABEL = "first start"


def credentials_path() -> Path:
    """Return where the credentials of a local installation are kept."""
    return Path(settings.VAR_DIR) / "credentials.json"


def read_credentials() -> dict[str, Any]:
    """Return what an earlier start wrote; empty when there is none."""
    try:
        found = json.loads(credentials_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@transaction.atomic
def ensure_credentials() -> dict[str, Any]:
    """Make what is missing of a user per role and an API token; keep and return them, with what others put there.

    A password that was changed since is not put back: the file is right only until then.
    """
    kept = read_credentials()
    users = {role_key(role): _ensure_user(role, kept.get("users") or {}) for role in ROLES}
    credentials = {
        **kept,
        "url": settings.SITE_URL,
        "users": users,
        "api_token": _ensure_token(kept.get("api_token") or "", users[role_key(ADMINISTRATOR)]["username"]),
    }
    if credentials != kept:
        write_private(credentials_path(), json.dumps(credentials, indent=2) + "\n")
    return credentials


def role_key(role: str) -> str:
    """Return a role's name as it stands in credentials.json, e.g. `privacy_officer`."""
    return role.lower().replace(" ", "_")


def _ensure_user(role: str, kept: dict[str, dict[str, str]]) -> dict[str, str]:
    key = role_key(role)
    known = kept.get(key) or {}
    username = known.get("username") or key
    user = User.objects.filter(username=username).first()
    if user is not None and known.get("password"):
        return {"username": username, "password": known["password"]}
    password = known.get("password") or secrets.token_urlsafe(12)
    if user is None:
        user = User(username=username, email=f"{key}@klantbeeld.example", is_staff=True)
    user.set_password(password)
    user.save()
    user.groups.add(Group.objects.get(name=role))
    return {"username": username, "password": password}


def _ensure_token(kept: str, username: str) -> str:
    if kept and ApiToken.objects.filter(digest=ApiToken.digest_of(kept), revoked_at=None).exists():
        return kept
    _row, token = ApiToken.issue(user=User.objects.get(username=username), name=LABEL, token=kept or None)
    return token
