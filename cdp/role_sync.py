"""Make the four roles as Django groups after every migrate."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission

from cdp.common.roles import PERMISSIONS, ROLES

logger = logging.getLogger(__name__)


def sync_roles(**_signal: Any) -> None:
    """Give each role the permissions of the table, and take away those that the table does not name.

    A permission of the table that does not exist (its app is not migrated yet) is left for the next run.
    """
    # This receiver was connected before Django's own, so the last app's permissions may not exist yet.
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    by_name = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role in ROLES:
        group, _created = Group.objects.get_or_create(name=role)
        wanted = [by_name[name] for name, roles in PERMISSIONS.items() if role in roles and name in by_name]
        group.permissions.set(wanted)


def missing_permissions() -> list[str]:
    """Return the names in the table that no model declares: a spelling mistake closes a page to everybody."""
    known = {f"{label}.{codename}" for label, codename in _known()}
    return sorted(set(PERMISSIONS) - known)


def _known() -> list[tuple[str, str]]:
    return list(Permission.objects.values_list("content_type__app_label", "codename"))
