"""What the access log speaks of, in words, and how it is searched: for its page and the staff site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cdp.common.access import PEOPLE
from cdp.common.filters import ChoiceFilter, ListFilters, within_days

#: action -> what somebody did
ACTIONS = {
    "profile.viewed": _("looked at a person"),
    "profile.exported": _("exported people"),
    "profile.changed": _("changed a person's traits"),
    "profile.bulk_written": _("wrote many people over the API"),
    "event.bulk_sent": _("sent events over the API"),
    "profile.restricted": _("restricted a person"),
    "profile.unrestricted": _("lifted the restriction of a person"),
    "profile.merged": _("merged two people"),
    "profile.erasure_requested": _("asked for the erasure of a person"),
    "suppression.added": _("suppressed an address"),
    "suppression.lifted": _("allowed a suppressed address again"),
    "export.created": _("asked for a bulk export"),
    "export.downloaded": _("downloaded a bulk export"),
    "export.cancelled": _("cancelled or deleted a bulk export"),
    "profile.joined": _("joined two people"),
    "profile.parted": _("undid a join"),
    "profile.kept_apart": _("kept two people apart"),
    "segment.exported": _("exported a segment"),
    "access_log.exported": _("exported this log"),
    "token.issued": _("made an API token"),
    "token.renamed": _("renamed an API token"),
    "token.revoked": _("revoked an API token"),
    "user.logged_in": _("logged in"),
    "user.logged_out": _("logged out"),
    "user.login_failed": _("failed to log in"),
    "user.locked_out": _("was locked out for a while"),
    "user.created": _("made a user"),
    "user.changed": _("changed a user"),
    "user.password_changed": _("set a user's password"),
    "role.changed": _("changed a role"),
    "schedule.changed": _("changed a schedule"),
    "interval.created": _("made an interval of schedules"),
    "interval.changed": _("changed an interval of schedules"),
    "profile.erased": _("erased a person"),
    "profile.listed": _("listed people"),
    "profile.searched": _("found people by a search"),
    "profile.timeline_viewed": _("read on in a person's timeline"),
    "profile.history_viewed": _("looked at the history of a person's trait"),
    "profile.statement_begun": _("opened the form for a person's statement"),
    "profile.erasure_begun": _("opened the form to erase a person"),
    "merge.listed": _("listed merges"),
    "event.streamed": _("watched events come in"),
    "segment.viewed": _("looked at a segment and who came and went"),
    "segment.history_listed": _("listed who came into a segment and left it"),
    "segment.previewed": _("looked at people whom a rule would take in"),
    "campaign.deliveries_listed": _("listed the decisions of a campaign"),
    "message.sends_viewed": _("looked at the last single sends of a message"),
    "message.previewed": _("previewed a message as a person"),
    "consent.desk_viewed": _("looked at the newest withdrawals"),
    "erasure.viewed": _("looked at the receipt of an erasure"),
    "mail.listed": _("listed captured mails"),
    "mail.viewed": _("looked at a captured mail"),
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
    "catalogue.announced": _("announced a name in the catalogue"),
    "catalogue.described": _("described an entry of the catalogue"),
    "catalogue.classified": _("said whether an entry of the catalogue is personal"),
    "catalogue.forgotten": _("took an entry out of the catalogue"),
    "kind.changed": _("changed a kind of identifier"),
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
    "identifierkind": _("kind of identifier"),
    "export": _("bulk export"),
    "import": _("import"),
    "profile": _("person"),
    "interval": _("interval"),
    "purpose": _("purpose"),
    "rejectedmessage": _("rejected message"),
    "retention": _("kind of data"),
    "role": _("role"),
    "schedule": _("schedule"),
    "segment": _("segment"),
    "suppression": _("suppressed address"),
    "source": _("source"),
    "user": _("user"),
}


def action_choices() -> Sequence[tuple[str, Any]]:
    """Return the actions that are described; others are found by search."""
    return list(ACTIONS.items())


class AccessFilters(ListFilters):
    """The access log."""

    action = ChoiceFilter(label=_("What"), choices=action_choices, empty_label=_("anything"))
    period = ChoiceFilter(
        label=_("In the last"),
        choices=(("1", _("24 hours")), ("7", _("7 days")), ("30", _("30 days")), ("365", _("year"))),
        method=within_days("at"),
        empty_label=_("any time"),
    )

    def filter_search(self, rows: Any, _name: str, text: str) -> Any:
        """Find whole user names and ids, those in lists too: the log grows without end, so by what indexes hold."""
        named = Q(detail__contains={PEOPLE: [text.lower()]})
        return rows.filter(Q(actor_label=text) | Q(object_id__in={text, text.lower()}) | named)
