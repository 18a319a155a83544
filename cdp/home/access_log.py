"""The access log in the Privacy group: who looked at whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cdp.common.lists import Column, Filter, ListPage
from cdp.common.models import AccessLog

WORDS = {
    "profile.viewed": _("looked at a person"),
    "profile.exported": _("exported people"),
    "profile.changed": _("changed a person's traits"),
    "profile.joined": _("joined two people"),
    "profile.parted": _("undid a join"),
    "profile.kept_apart": _("kept two people apart"),
    "segment.exported": _("exported a segment"),
    "access_log.exported": _("exported this log"),
    "token.issued": _("made an API token"),
    "token.revoked": _("revoked an API token"),
    "profile.erased": _("erased a person"),
    "profile.listed": _("listed people"),
    "profile.interactions_viewed": _("read what a person did"),
    "profile.permissions_read": _("read a person's permissions"),
    "interaction.listed": _("listed events"),
    "event.viewed": _("looked at an event as received"),
    "rejected.viewed": _("looked at a rejected message"),
    "rejected.replayed": _("sent a rejected message through again"),
    "rejected.discarded": _("put a rejected message aside"),
    "segment.explained": _("asked why a person is in a segment"),
    "segment.members_listed": _("listed the members of a segment"),
    "campaign.audience_viewed": _("looked at the audience of a campaign"),
    "delivery.viewed": _("looked at a mail as sent"),
    "consent.evidence_viewed": _("looked at the proof of a permission"),
    "consent.evidence_exported": _("exported a person's permissions and proofs"),
    "consent.ending_listed": _("listed whose permission ends soon"),
    "consent.log_read": _("read the consent log"),
    "purpose.defined": _("defined a purpose"),
    "purpose.changed": _("changed a purpose"),
    "purpose.affected_listed": _("listed the people whom a change of a purpose affects"),
    "suppression.looked_up": _("looked up a suppressed address"),
    "import.rows_viewed": _("looked at rows of an import"),
    "import.rejected_exported": _("downloaded the rejected rows of an import"),
    "retention.changed": _("changed how long data is kept"),
    "source.created": _("made a source"),
    "source.changed": _("changed a source"),
    "source.enabled": _("switched a source on"),
    "source.disabled": _("switched a source off"),
    "source.key_rotated": _("issued a new key for a source"),
}
#: kind of object -> what it is called
KINDS = {
    "api_token": _("API token"),
    "campaign": _("campaign"),
    "consentrecord": _("consent record"),
    "delivery": _("delivery"),
    "import": _("import"),
    "profile": _("person"),
    "purpose": _("purpose"),
    "rejectedmessage": _("rejected message"),
    "retention": _("kind of data"),
    "segment": _("segment"),
    "source": _("source"),
}
#: kind of object -> address of its page, by id
PAGES = {"profile": "profiles:person", "retention": "retention_class"}


def actions(_request: HttpRequest) -> Sequence[tuple[str, Any]]:
    """Return the actions that are described; others are found by search."""
    return list(WORDS.items())


class AccessLogPage(ListPage):
    """The log, newest first."""

    permission_required = "common.view_accesslog"
    template_name = "home/access_log.html"
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
    filters = (
        Filter(
            name="action",
            label=_("What"),
            choices=actions,
            apply=lambda rows, value: rows.filter(action=value),
            any_label=_("anything"),
        ),
        Filter(
            name="period",
            label=_("In the last"),
            choices=(("1", _("24 hours")), ("7", _("7 days")), ("30", _("30 days")), ("365", _("year"))),
            apply=lambda rows, value: rows.filter(at__gte=timezone.now() - timedelta(days=int(value))),
            any_label=_("any time"),
        ),
    )
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

    def search(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Find whole user names and ids: the log grows without end, and `contains` would read all of it."""
        return rows.filter(Q(actor_label=text) | Q(object_id=text.lower()))

    def prepare(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Give every row its words and, where there is one, the page it speaks of."""
        for row in rows:
            row.words = WORDS.get(row.action, row.action)
            row.kind_words = KINDS.get(row.object_kind, row.object_kind)
            row.url = page_of(row)
        return rows


def page_of(row: AccessLog) -> str:
    """Return the address of what a row speaks of; empty when it has no page."""
    name = PAGES.get(row.object_kind, "")
    try:
        return reverse(name, args=[row.object_id]) if name and row.object_id else ""
    except NoReverseMatch:
        return ""
