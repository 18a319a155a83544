"""What a secret in `Authorization: Bearer` stands for."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.models import ApiToken
from cdp.common.token_scopes import narrow_user, permissions_of

#: a token's last use is noted at most this often, so that a busy integration does not write on every call
LAST_USED_STEP = timedelta(minutes=1)


def use_token(secret: str, *, address: str | None) -> tuple[Any, ApiToken]:
    """Return the user that a secret stands for, narrowed to the token's scopes, and the token; note the use.

    Raise CdpError with status 401: `authentication_failed`, `token_expired` or `token_network`.
    """
    digest = ApiToken.digest_of(secret)
    token = ApiToken.objects.select_related("user").filter(digest=digest, revoked_at=None).first()
    if token is None or not token.user.is_active:
        raise CdpError("authentication_failed", _("This token is unknown or was revoked."), status=401)
    now = timezone.now()
    if token.expires_at is not None and token.expires_at <= now:
        raise CdpError("token_expired", _("This token has expired."), status=401)
    if token.networks and not in_networks(address, token.networks):
        raise CdpError("token_network", _("This token may not be used from this network."), status=401)
    if token.last_used_at is None or now - token.last_used_at > LAST_USED_STEP:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return narrow_user(token.user, permissions_of(token.scopes)), token


def in_networks(address: str | None, allowed: Collection[str]) -> bool:
    """Tell whether an address lies in one of these networks (`10.0.0.0/8`); an IPv4 address in IPv6 dress too."""
    try:
        peer = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in ipaddress.ip_network(network) for network in allowed)
