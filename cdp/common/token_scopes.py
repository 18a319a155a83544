"""What an API token may be limited to: named groups of permissions, and a user who holds no more than they give."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

READ_SEGMENTS = "segments.view_segment"


@dataclass(frozen=True, slots=True)
class Scope:
    """A group of permissions under the name that an integrator writes."""

    label: str | Promise
    permissions: frozenset[str]


def _scope(label: Any, *permissions: str) -> Scope:
    return Scope(label, frozenset(permissions))


#: scope -> what it gives, of what the token's user may. A request needs the permission of both.
SCOPES: dict[str, Scope] = {
    "people:read": _scope(
        _("Read people: names and addresses masked"),
        "profiles.view_profile",
        "profiles.view_catalogueentry",
    ),
    "people:pii": _scope(_("See names and addresses unmasked, wherever they stand"), "profiles.view_pii"),
    "people:write": _scope(_("Add people and change their traits"), "profiles.change_profile"),
    "people:merge": _scope(_("Merge people and undo merges"), "profiles.merge_profile"),
    "people:erase": _scope(_("Erase and restrict people"), "profiles.erase_profile"),
    "events:read": _scope(
        _("Read what people did, and rejected events"),
        "profiles.view_interaction",
        "profiles.view_rejectedmessage",
        "profiles.view_catalogueentry",
    ),
    "events:write": _scope(
        _("Send events; replay or discard rejected ones"),
        "profiles.add_interaction",
        "profiles.change_rejectedmessage",
    ),
    "sources:read": _scope(_("Read sources"), "profiles.view_source"),
    "sources:write": _scope(
        _("Make and change sources and their keys"), "profiles.add_source", "profiles.change_source"
    ),
    "imports": _scope(
        _("Read, start, stop and undo imports"),
        "profiles.view_import",
        "profiles.add_import",
        "profiles.change_import",
    ),
    "catalogue:write": _scope(_("Describe traits and events"), "profiles.change_catalogueentry"),
    "consent:read": _scope(
        _("Read permissions, their proof and purposes"), "consent.view_consentrecord", "consent.view_purpose"
    ),
    "consent:write": _scope(_("Record permissions and refusals"), "consent.add_consentrecord"),
    "purposes:write": _scope(_("Define and change purposes"), "consent.add_purpose", "consent.change_purpose"),
    "suppression:read": _scope(_("Look up suppressed addresses"), "consent.view_suppression"),
    "suppression:write": _scope(_("Suppress addresses"), "consent.add_suppression"),
    "segments:read": _scope(_("Read segments and their members"), READ_SEGMENTS),
    "segments:write": _scope(
        _("Make and change segments"), READ_SEGMENTS, "segments.add_segment", "segments.change_segment"
    ),
    "campaigns:read": _scope(
        _("Read messages, campaigns and deliveries"),
        "campaigns.view_message",
        "campaigns.view_campaign",
        "campaigns.view_delivery",
    ),
    "campaigns:write": _scope(
        _("Make and change messages and campaigns"),
        "campaigns.view_message",
        "campaigns.add_message",
        "campaigns.change_message",
        "campaigns.view_campaign",
        "campaigns.add_campaign",
        "campaigns.change_campaign",
    ),
    "send": _scope(_("Send: schedule, pause and cancel campaigns"), "campaigns.send_campaign"),
    "exports": _scope(
        _("Export people, events and members in bulk"), "profiles.export_profile", "segments.export_segment"
    ),
}


def permissions_of(scopes: Iterable[str]) -> frozenset[str]:
    """Return the permissions that these scopes give together; a name that is not in the table gives none."""
    return frozenset().union(*(SCOPES[name].permissions for name in scopes if name in SCOPES))


def scopes_giving(permission: str) -> list[str]:
    """Return the scopes that give a permission."""
    return [name for name, scope in SCOPES.items() if permission in scope.permissions]


def out_of_reach(user: Any, scopes: Collection[str]) -> list[str]:
    """Return the scopes of which this user holds no permission at all: they would give a token nothing."""
    return [name for name in scopes if not any(user.has_perm(one) for one in SCOPES[name].permissions)]


def narrow_user(user: Any, allowed: frozenset[str]) -> Any:
    """Let this instance of a user hold no permission outside `allowed`, also when it is a superuser; return it.

    Every question goes through the instance (pages, masking, services), so none needs to know of tokens.
    """
    whole, whole_list = user.has_perm, user.get_all_permissions

    def has_perm(permission: str, obj: Any = None) -> bool:
        return permission in allowed and bool(whole(permission, obj))

    def get_all_permissions(obj: Any = None) -> set[str]:
        return set(whole_list(obj)) & allowed

    def has_module_perms(label: str) -> bool:
        return any(name.partition(".")[0] == label and has_perm(name) for name in allowed)

    user.has_perm, user.get_all_permissions, user.has_module_perms = has_perm, get_all_permissions, has_module_perms
    user.holds_without_scopes = whole
    return user


def lacks_scope(user: Any, permission: str) -> bool:
    """Tell whether it is the token's scopes, and not the user's role, that keep a permission away."""
    whole = getattr(user, "holds_without_scopes", None)
    return whole is not None and bool(whole(permission)) and not user.has_perm(permission)
