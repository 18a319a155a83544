"""Navigation entries of the composition root: home, the access log and the system pages."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.registry import NavEntry, navigation

ENTRIES = {
    "home": NavEntry(group="today", label=_("Home"), url_name="home", order=10),
    "access_log": NavEntry(
        group="privacy", label=_("Access log"), url_name="access_log", order=90, permission="common.view_accesslog"
    ),
    "retention": NavEntry(
        group="privacy",
        label=_("How long data is kept"),
        url_name="retention",
        order=80,
        permission="common.view_retentionrun",
    ),
    "health": NavEntry(
        group="system", label=_("Health"), url_name="health", order=10, permission="common.view_heartbeat"
    ),
    "users": NavEntry(
        group="system",
        label=_("Users and roles"),
        url_name="admin:auth_user_changelist",
        order=20,
        permission="auth.view_user",
        match="/admin/auth/",
    ),
    "tokens": NavEntry(
        group="system",
        label=_("API tokens"),
        url_name="admin:common_apitoken_changelist",
        order=30,
        permission="common.view_apitoken",
    ),
    "schedules": NavEntry(
        group="system",
        label=_("Schedules"),
        url_name="admin:django_celery_beat_periodictask_changelist",
        order=40,
        permission="django_celery_beat.view_periodictask",
        match="/admin/django_celery_beat/",
    ),
}


def register() -> None:
    """Add the entries."""
    for name, entry in ENTRIES.items():
        navigation.add(name, entry)
