"""Write the access log: every look-up and export of personal data passes here, and every change of who may what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.cache import cache

from cdp.common.acting import current_request
from cdp.common.models import AccessLog, ApiToken

#: name of the public ids in the detail of a look at several people
PEOPLE = "people"
#: people named in one row; no page shows more
MOST_NAMED = 500
LOOK_SECONDS = 60


def client_ip(request: Any) -> str | None:
    """Return the peer's address; a proxy's header counts only when the server was told to trust it."""
    return request.META.get("REMOTE_ADDR") or None


def record_access(
    *,
    request: Any = None,
    actor: Any = None,
    action: str,
    object_kind: str = "",
    object_id: str = "",
    detail: dict[str, Any] | None = None,
) -> AccessLog:
    """Note that somebody saw, exported or changed something. `detail` holds counts and ids, never addresses.

    Without `request` the one under way counts, so that a service's entry too names the address and the token.
    """
    request = request if request is not None else current_request()
    user = actor if actor is not None else getattr(request, "user", None)
    if not getattr(user, "is_authenticated", False):
        user = None
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        detail = {**(detail or {}), "token_id": str(token.uuid)}
    return AccessLog.objects.create(
        actor=user,
        actor_label=user.get_username() if user is not None else "system",
        action=action,
        object_kind=object_kind,
        object_id=str(object_id),
        ip=client_ip(request) if request is not None else None,
        detail=detail or {},
    )


def record_look(
    request: Any,
    action: str,
    people: Iterable[Any],
    *,
    object_kind: str = "",
    object_id: str = "",
    detail: dict[str, Any] | None = None,
    even_nobody: bool = False,
) -> None:
    """Note that somebody saw these people, whatever else was on the page: one row, with the public id of each.

    `people` are profiles or public ids; None and who is twice are passed over. A part of a page that htmx asks for
    again within a minute, with the same people, is the same look. Nobody shown: no row, unless `even_nobody` (rows of
    a file name people whom nobody knows).
    """
    ids = list(dict.fromkeys(str(getattr(one, "uuid", one)) for one in people if one is not None))
    if not (ids or even_nobody):
        return
    if _asks_again(request) and not cache.add(_look_key(request, action, object_id, ids), 1, LOOK_SECONDS):
        return
    if len(ids) == 1 and not object_kind:
        object_kind, object_id = "profile", ids[0]
    else:
        detail = {**(detail or {}), "rows": len(ids), PEOPLE: ids[:MOST_NAMED]}
    record_access(request=request, action=action, object_kind=object_kind, object_id=object_id, detail=detail)


def _asks_again(request: Any) -> bool:
    return bool(request.headers.get("HX-Request") == "true")


def _look_key(request: Any, action: str, object_id: str, ids: Sequence[str]) -> str:
    text = " ".join((str(request.user.pk), client_ip(request) or "", action, object_id, *ids))
    return f"look.{hashlib.sha256(text.encode()).hexdigest()}"
