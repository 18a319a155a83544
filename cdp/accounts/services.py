"""Make and change the accounts of colleagues and programs. The log's entries come from `cdp.accounts.change_log`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cdp.accounts.rules import Standing, refusal
from cdp.common.errors import CdpError
from cdp.common.models import Account
from cdp.common.roles import ADMINISTRATOR, ROLES

#: a password that somebody else set is good for one log-in, to choose one's own, and no later than this
TEMPORARY_FOR = timedelta(days=3)
REFUSALS = {
    "superuser_made": _("Nobody is made a superuser here."),
    "superuser_touched": _("Only the operator changes a superuser."),
    "own_role": _("Ask another administrator: you cannot take away your own access."),
    "last_administrator": _("This is the last administrator: give somebody else the role first."),
}


def standing_of(user: User, roles: Iterable[str] | None = None, active: bool | None = None) -> Standing:
    """Return what an account is, or would be with other roles or another state."""
    held = user.groups.values_list("name", flat=True) if roles is None else roles
    return Standing(
        roles=frozenset(held) & frozenset(ROLES),
        active=user.is_active if active is None else active,
        superuser=user.is_superuser,
        program=not user.has_usable_password(),
    )


def why_refused(*, actor: User, user: User | None, roles: Iterable[str], active: bool) -> str:
    """Return the code of what speaks against a change, empty when nothing does."""
    administering = User.objects.filter(Q(is_superuser=True) | Q(groups__name=ADMINISTRATOR), is_active=True).distinct()
    others = [one for one in administering if user is None or one.pk != user.pk]
    return refusal(
        before=standing_of(user) if user else None,
        after=standing_of(user, roles, active) if user else Standing(frozenset(roles), active),
        own=user is not None and user.pk == actor.pk,
        by_superuser=actor.is_superuser,
        other_administrators=sum(one.has_usable_password() for one in others),
    )


@transaction.atomic
def create_account(
    *, actor: User, username: str, name: tuple[str, str], email: str, roles: Iterable[str], program: bool
) -> tuple[User, str]:
    """Make an account with roles; return it with its temporary password, empty for a program."""
    wanted = _known(roles)
    if code := why_refused(actor=actor, user=None, roles=wanted, active=True):
        raise CdpError(f"account.{code}", str(REFUSALS[code]), status=409)
    user = User(username=username, first_name=name[0], last_name=name[1], email=email, is_staff=not program)
    user.set_unusable_password()
    user.save()
    user.groups.set(Group.objects.filter(name__in=wanted))
    Account.objects.create(user=user)
    return user, "" if program else _give_temporary(user)


@transaction.atomic
def change_account(
    *, actor: User, user_id: int, username: str, name: tuple[str, str], email: str, roles: Iterable[str], active: bool
) -> User:
    """Change an account; whoever has it open with other roles, or no more, is logged out everywhere."""
    wanted = _known(roles)
    # Two administrators who demote each other at once must not both succeed.
    Group.objects.select_for_update().get(name=ADMINISTRATOR)
    user = User.objects.select_for_update().get(pk=user_id)
    if code := why_refused(actor=actor, user=user, roles=wanted, active=active):
        raise CdpError(f"account.{code}", str(REFUSALS[code]), status=409)
    before = standing_of(user)
    user.username, user.email, user.is_active = username, email, active
    user.first_name, user.last_name = name
    user.save(update_fields=["username", "email", "is_active", "first_name", "last_name"])
    others = list(user.groups.exclude(name__in=ROLES))
    user.groups.set([*Group.objects.filter(name__in=wanted), *others])
    if standing_of(user) != before:
        end_sessions(user)
    return user


@transaction.atomic
def set_temporary_password(*, actor: User, user_id: int) -> str:
    """Give a colleague a password for one log-in, at which they choose their own; return it."""
    user = User.objects.select_for_update().get(pk=user_id)
    if user.is_superuser and not actor.is_superuser:
        raise CdpError("account.superuser_touched", str(REFUSALS["superuser_touched"]), status=409)
    if not user.has_usable_password():
        raise CdpError("account.program", str(_("This account is for a program: it has tokens, no password.")))
    return _give_temporary(user)


def choose_own_password(user: User) -> None:
    """Note that somebody chose a password of their own."""
    Account.objects.filter(user=user).update(temporary_until=None)


def end_sessions(user: User) -> int:
    """Log somebody out everywhere; return of how many places."""
    found = [row.pk for row in Session.objects.filter(expire_date__gt=timezone.now()).iterator() if _is_of(row, user)]
    Session.objects.filter(pk__in=found).delete()
    return len(found)


def _is_of(session: Session, user: User) -> bool:
    return bool(session.get_decoded().get("_auth_user_id") == str(user.pk))


def _give_temporary(user: User) -> str:
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    Account.objects.update_or_create(user=user, defaults={"temporary_until": timezone.now() + TEMPORARY_FOR})
    end_sessions(user)
    return password


def _known(roles: Iterable[str]) -> list[str]:
    wanted: list[Any] = list(roles)
    if unknown := sorted(set(wanted) - set(ROLES)):
        raise CdpError("account.unknown_role", f"{', '.join(unknown)}")
    return wanted
