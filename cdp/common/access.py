"""Write the access log: every look-up and export of personal data passes here, and every change of who may what."""

from __future__ import annotations

from typing import Any

from cdp.common.acting import current_request
from cdp.common.models import AccessLog, ApiToken


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
