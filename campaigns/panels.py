"""What campaigns show elsewhere: on a person's page and timeline, on the home page, in the search box."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Delivery, Message, SendQueue
from campaigns.personal_data import profile_ids_of
from campaigns.reasons import outcome_text
from cdp.common.registry import TimelineEntry
from profiles.models import Profile

PANEL_ROWS = 8


def timeline_entries(
    profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None
) -> list[TimelineEntry]:
    """Return a person's messages for the timeline, newest first, those not sent too: with the reason."""
    if kinds is not None and "message" not in kinds:
        return []
    rows = (
        Delivery.objects.filter(profile_id__in=profile_ids_of(profile_id))
        .select_related("campaign", "message_version")
        .order_by("-decided_at")
    )
    if before is not None:
        rows = rows.filter(decided_at__lt=before)
    return [_entry(row) for row in rows[:limit]]


def _entry(row: Delivery) -> TimelineEntry:
    titles = {
        "sent": _("Mail sent: %(name)s"),
        "pending": _("Mail on its way: %(name)s"),
        "unknown": _("Mail perhaps sent: %(name)s"),
    }
    title = titles.get(row.outcome, _("Mail not sent: %(name)s")) % {"name": row.campaign.name}
    return TimelineEntry(
        at=row.decided_at,
        kind="message",
        title=title,
        detail="" if row.outcome == "sent" else outcome_text(row.outcome, row.reason),
        chip=row.get_outcome_display(),
        url=reverse("campaigns:delivery", args=[row.campaign_id, row.uuid]),
        major=row.outcome == "sent",
        meta=(row.message_version.subject,),
    )


def profile_panel(request: Any, profile: Profile) -> dict[str, Any] | None:
    """Return the card "Messages (why / why not)" of the 360 page."""
    rows = (
        Delivery.objects.filter(profile_id__in=profile_ids_of(profile.pk))
        .select_related("campaign")
        .order_by("-decided_at")[: PANEL_ROWS + 1]
    )
    shown = list(rows)
    return {
        "messages": [{"row": row, "words": outcome_text(row.outcome, row.reason)} for row in shown[:PANEL_ROWS]],
        "more": len(shown) > PANEL_ROWS,
    }


def uses_of_segment(segment_id: int) -> list[str]:
    """Return the names of the campaigns under way with a segment."""
    rows = Campaign.objects.committed().using_segment(segment_id).order_by("name")
    return list(rows.values_list("name", flat=True)[:5])


def search(user: Any, text: str, limit: int) -> list[dict[str, str]]:
    """Find campaigns and messages by name for the search box."""
    found: list[dict[str, str]] = []
    if user.has_perm("campaigns.view_campaign"):
        for campaign in Campaign.objects.campaigns().matching(text).order_by("-changed_at")[:limit]:
            found.append(
                {
                    "label": campaign.name,
                    "detail": str(campaign.get_status_display()),
                    "url": reverse("campaigns:campaign", args=[campaign.pk]),
                    "kind": str(_("campaign")),
                }
            )
    if user.has_perm("campaigns.view_message"):
        for message in Message.objects.living().matching(text).order_by("-changed_at")[:limit]:
            found.append(
                {
                    "label": message.name,
                    "detail": message.current_version.subject if message.current_version else "",
                    "url": reverse("campaigns:message", args=[message.pk]),
                    "kind": str(_("message")),
                }
            )
    return found[:limit]


def home_card(request: Any) -> dict[str, Any] | None:
    """Return the card "On its way" of the home page: what is being sent, what comes next, what needs a person."""
    under_way = list(Campaign.objects.campaigns().under_way().select_related("segment").order_by("started_at")[:5])
    coming = list(Campaign.objects.filter(status="scheduled").select_related("segment").order_by("scheduled_at")[:5])
    done = list(Campaign.objects.filter(status="done").order_by("-finished_at")[:3])
    rows = []
    for campaign in under_way:
        waiting = SendQueue.objects.filter(campaign_id=campaign.pk).count()
        total = campaign.audience_total or 0
        rows.append({"campaign": campaign, "decided": total - waiting, "total": total, "waiting": waiting})
    return {"under_way": rows, "coming": coming, "done": done}
