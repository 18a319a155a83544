"""Make, rename and revoke API tokens; each is in the log. Their use is in `cdp.common.token_use`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from cdp.common.models import ApiToken
from cdp.common.token_scopes import SCOPES, out_of_reach

DEFAULT_LIFE = timedelta(days=365)


def token_owners(maker: Any) -> QuerySet[Any]:
    """Return whom `maker` may make a token for: itself, and users that cannot log in because they are programs.

    A token for a colleague would let its maker act under that colleague's name.
    """
    users: QuerySet[Any] = get_user_model()._default_manager.filter(is_active=True)
    return users.filter(Q(pk=maker.pk) | Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)).order_by("username")


@transaction.atomic
def issue_token(
    *,
    request: Any,
    owner: Any,
    name: str,
    scopes: Collection[str],
    expires_at: datetime | None,
    networks: Collection[str] = (),
) -> tuple[ApiToken, str]:
    """Make a token for its maker or for a program; return the row and the secret, which cannot be shown again."""
    if not token_owners(request.user).filter(pk=owner.pk).exists():
        raise CdpError("token.not_yours", _("Make a token for yourself or for a user that cannot log in."))
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise CdpError("token.unknown_scope", _("There is no scope %(scope)s.") % {"scope": ", ".join(unknown)})
    if not scopes:
        raise CdpError("token.no_scope", _("Choose what the token may do."))
    if vain := out_of_reach(owner, scopes):
        raise CdpError(
            "token.out_of_reach",
            _("%(user)s may not do this, so a token of theirs cannot: %(scopes)s")
            % {"user": owner.get_username(), "scopes": ", ".join(vain)},
        )
    token, secret = ApiToken.issue(user=owner, name=name, scopes=scopes, expires_at=expires_at, networks=networks)
    _log(
        request,
        "token.issued",
        token,
        {"name": name, "scopes": token.scopes, "networks": token.networks, "expires_at": _written(expires_at)},
    )
    return token, secret


@transaction.atomic
def rename_token(*, request: Any, token: ApiToken, name: str) -> None:
    """Give a token another name; nothing else of it ever changes."""
    before = ApiToken.objects.select_for_update().get(pk=token.pk).name
    if name == before:
        return
    ApiToken.objects.filter(pk=token.pk).update(name=name)
    _log(request, "token.renamed", token, {"before": before, "after": name})


@transaction.atomic
def revoke_tokens(*, request: Any, tokens: QuerySet[ApiToken]) -> int:
    """Let these tokens stop working at once; return how many did work."""
    found = list(tokens.filter(revoked_at=None).select_for_update(of=("self",)))
    ApiToken.objects.filter(pk__in=[token.pk for token in found]).update(revoked_at=timezone.now())
    for token in found:
        _log(request, "token.revoked", token, {"name": token.name})
    return len(found)


def _log(request: Any, action: str, token: ApiToken, detail: dict[str, Any]) -> None:
    record_access(
        request=request,
        action=action,
        object_kind="api_token",
        object_id=str(token.uuid),
        detail={"user": token.user.get_username(), **detail},
    )


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
