"""The access log in the Privacy group: who looked at whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from cdp.common.access_log import ACTIONS, KINDS, AccessFilters
from cdp.common.lists import Column, ListPage
from cdp.common.models import AccessLog

#: kind of object -> address of its page, by id
PAGES = {"profile": "profiles:person", "retention": "retention_class"}


class AccessLogPage(ListPage):
    """The log, newest first."""

    permission_required = "common.view_accesslog"
    template_name = "home/access_log.html"
    filters = AccessFilters
    columns = (
        Column(name="at", label=_("When"), sort="id", descending_first=True, export=lambda row: row.at),
        Column(name="who", label=_("Who"), export=lambda row: row.actor_label),
        Column(name="what", label=_("What"), export=lambda row: row.action),
        Column(name="kind", label=_("Kind"), export=lambda row: row.object_kind),
        Column(name="whom", label=_("Of whom or what"), export=lambda row: row.object_id),
        Column(name="ip", label=_("From address"), export=lambda row: row.ip),
        Column(name="detail", label=_("Detail"), export=lambda row: row.detail or ""),
    )
    hidden_columns = ("kind",)
    default_sort = "-at"
    search_label = _("A user name, or a person's whole id")
    empty = (
        _("Nobody looked yet"),
        _("Every look at a person's page, every export and every API token is noted here, and cannot be edited."),
        "",
        "",
    )
    export_permission = "common.view_accesslog"
    export_name = "access-log"
    export_action = "access_log.exported"

    def get_queryset(self) -> QuerySet[AccessLog]:
        """Return the whole log."""
        return AccessLog.objects.all()

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Give every row its words and, where there is one, the page it speaks of."""
        for row in rows:
            row.words = ACTIONS.get(row.action, row.action)
            row.kind_label = KINDS.get(row.object_kind, row.object_kind)
            row.url = page_of(row)
        return rows


def page_of(row: AccessLog) -> str:
    """Return the address of what a row speaks of; empty when it has no page."""
    name = PAGES.get(row.object_kind, "")
    try:
        return reverse(name, args=[row.object_id]) if name and row.object_id else ""
    except NoReverseMatch:
        return ""
