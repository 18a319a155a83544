"""How often a password may be tried: per name and address, per address, and per name from strange devices.

django-axes keeps the counts; what counts is decided here. A lock says nothing of whether the name exists, and that of a
name holds strangers only: on a device where its owner has logged in, nobody else's attempts count.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db.models import Sum

from cdp.accounts.devices import is_known_device
from cdp.accounts.temporary import mark_session
from cdp.common.access import client_ip, record_access

PER_NAME_AND_ADDRESS = 8
PER_ADDRESS = 40  # an office behind one address has more people than one who mistypes
PER_NAME = 60  # from all strange devices together


def login_address(request: Any) -> str | None:
    """Return what counts as one address: of IPv6 the /64, of which a single connection has all."""
    try:
        peer = ipaddress.ip_address(client_ip(request) or "")
    except ValueError:
        return None
    peer = getattr(peer, "ipv4_mapped", None) or peer
    if peer.version == 4:
        return str(peer)
    return str(ipaddress.ip_network((peer, 64), strict=False).network_address)


def is_over(*, pair: int, address: int, name: int, known_device: bool) -> bool:
    """Tell whether so many failures within the period are too many."""
    return pair >= PER_NAME_AND_ADDRESS or address >= PER_ADDRESS or (name >= PER_NAME and not known_device)


class LoginHandler(AxesDatabaseHandler):  # type: ignore[misc]  # the library has no types
    """Decide by our limits, and put log-ins in the append-only log."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Tell whether this name may not be tried from here for now."""
        username = get_client_username(request, credentials) or ""
        recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
        address = recent.filter(ip_address=request.axes_ip_address)
        return is_over(
            pair=_failures(address.filter(username=username)),
            address=_failures(address),
            name=_failures(recent.filter(username=username)),
            known_device=is_known_device(request, username),
        )

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """Return the limit when it is reached, so that the library answers with the lock's page."""
        return PER_NAME_AND_ADDRESS if self.is_locked(request, credentials) else 0

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
        """Count a failure, and note it: under the name of a user, or as nobody's; never what else was typed."""
        locked_before = bool(request is not None and request.axes_locked_out)
        super().user_login_failed(sender, credentials, request=request, **kwargs)
        if request is None or locked_before:
            return
        username = get_client_username(request, credentials) or ""
        known = User.objects.filter(username=username).exists()
        shown = username[:64] if known else ""
        record_access(request=request, action="user.login_failed", object_kind="user", object_id=shown)
        if request.axes_locked_out:
            record_access(request=request, action="user.locked_out", object_kind="user", object_id=shown)

    def user_logged_in(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        """Forget the failures of this name and address, and note the log-in."""
        super().user_logged_in(sender, request, user, **kwargs)
        mark_session(request, user)
        name = user.get_username()
        record_access(request=request, actor=user, action="user.logged_in", object_kind="user", object_id=name[:64])

    def user_logged_out(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        """Note who left."""
        super().user_logged_out(sender, request, user, **kwargs)
        if user is not None:
            name = user.get_username()
            record_access(
                request=request, actor=user, action="user.logged_out", object_kind="user", object_id=name[:64]
            )


def _failures(attempts: Any) -> int:
    return int(attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0)
