"""How long what was sent is kept: first the personal values go, later the decisions, and the report stays."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, CampaignKind, CampaignStatus, Delivery, SendQueue
from campaigns.personal_data import BLANK
from cdp.common.counting import capped_count
from cdp.common.retention import DataClass, KeptData, Position, Step, Survey, kept_data, retention


def _ended() -> QuerySet[Campaign]:
    return Campaign.objects.filter(
        status__in=(CampaignStatus.DONE, CampaignStatus.CANCELLED), audience_built_at__isnull=False
    )


def blank_values(before: datetime, limit: int, position: Position) -> Step:
    """Empty what the mails of a campaign were filled in with, in the order of its people."""
    campaign = _ended().filter(finished_at__lt=before, values_removed_at=None).order_by("finished_at", "pk").first()
    if campaign is None:
        return _blank_singles(before, limit)
    after = position.get("person", 0) if position.get("campaign") == campaign.pk else 0
    rows = Delivery.objects.filter(campaign_id=campaign.pk, profile_id__gt=after)
    people = list(rows.order_by("profile_id").values_list("profile_id", flat=True)[:limit])
    blanked = rows.filter(profile_id__in=people).exclude(**BLANK).update(**BLANK)
    if len(people) < limit:
        Campaign.objects.filter(pk=campaign.pk).update(values_removed_at=timezone.now())
    return Step(blanked, {"campaign": campaign.pk, "person": people[-1] if people else 0})


def _blank_singles(before: datetime, limit: int) -> Step:
    """Empty what single sends were filled in with: theirs is no end, so each counts from when it was decided.

    `values_removed_at` of the row they share says how far that is done.
    """
    for shared in _singles().order_by("pk"):
        rows = Delivery.objects.of_campaign(shared.pk)
        waiting = rows.filter(outcome="pending").aggregate(first=Min("decided_at"))["first"]
        upto = min(before, waiting) if waiting else before
        if shared.values_removed_at is not None and shared.values_removed_at >= upto:
            continue
        past = rows.filter(decided_at__gte=shared.values_removed_at) if shared.values_removed_at else rows
        past = past.exclude(**BLANK)
        found = list(past.filter(decided_at__lt=upto).order_by("decided_at").values_list("uuid", "decided_at")[:limit])
        blanked = rows.filter(uuid__in=[key for key, _at in found]).update(**BLANK)
        done = found[-1][1] if len(found) == limit else upto
        Campaign.objects.filter(pk=shared.pk).update(values_removed_at=done)
        return Step(blanked, {})
    return Step(0)


def _singles() -> QuerySet[Campaign]:
    return Campaign.objects.filter(kind=CampaignKind.SINGLE)


def _remove_singles(before: datetime, limit: int) -> Step:
    rows = Delivery.objects.filter(campaign__in=_singles(), decided_at__lt=before).exclude(outcome="pending")
    keys = list(rows.order_by("campaign_id", "decided_at").values_list("uuid", flat=True)[:limit])
    removed, _by_table = Delivery.objects.filter(campaign__in=_singles(), uuid__in=keys).delete()
    return Step(removed, {} if len(keys) == limit else None)


def remove_decisions(before: datetime, limit: int, _position: Position) -> Step:
    """Delete the decisions of a campaign, after writing down what its report says."""
    campaign = _with_decisions().filter(finished_at__lt=before).order_by("finished_at", "pk").first()
    if campaign is None:
        return _remove_singles(before, limit)
    rows = Delivery.objects.of_campaign(campaign.pk)
    if campaign.decisions_removed_at is None:
        campaign.closed_tally = rows.tally().as_rows()
        campaign.decisions_removed_at = timezone.now()
        campaign.save(update_fields=["closed_tally", "decisions_removed_at"])
    people = list(rows.order_by("profile_id").values_list("profile_id", flat=True)[:limit])
    removed, _by_table = rows.filter(profile_id__in=people).delete()
    return Step(removed, {})


def _with_decisions() -> QuerySet[Campaign]:
    waiting = SendQueue.objects.filter(campaign_id=OuterRef("pk"))
    return _ended().filter(Exists(Delivery.objects.filter(campaign_id=OuterRef("pk"))), ~Exists(waiting))


def survey_values(before: datetime) -> Survey:
    """Count the campaigns, and the single sends, whose values are past their time."""
    left = _ended().filter(values_removed_at=None)
    singles = Delivery.objects.filter(campaign__in=_singles(), decided_at__lt=before).exclude(**BLANK)
    waiting = left.filter(finished_at__lt=before).count() + capped_count(singles.exclude(outcome="pending"))
    return Survey(waiting, left.aggregate(oldest=Min("finished_at"))["oldest"])


def survey_decisions(before: datetime) -> Survey:
    """Count the campaigns whose decisions are past their time, and such single sends."""
    left = _with_decisions()
    singles = Delivery.objects.filter(campaign__in=_singles(), decided_at__lt=before).exclude(outcome="pending")
    waiting = left.filter(finished_at__lt=before).count() + capped_count(singles)
    return Survey(waiting, left.aggregate(oldest=Min("finished_at"))["oldest"])


def register() -> None:
    """Say how long each kind of data is kept, and why the rest has no period."""
    retention.add(
        "delivery_values",
        DataClass(
            group="campaigns",
            label=_("Personal values in mails"),
            what=_("What each mail was filled in with, and what the mail server answered, after the campaign ended."),
            remains=_("Who got it, when, and by which permission. The mail itself can no longer be shown as sent."),
            holds=(),
            default_days=400,
            minimum_days=7,
            at_most="decisions",
            remove=blank_values,
            survey=survey_values,
        ),
    )
    retention.add(
        "decisions",
        DataClass(
            group="campaigns",
            label=_("Decisions of campaigns"),
            what=_("For every person of an audience: sent or not, why, and by which permission. It is your proof."),
            remains=_("The campaign and its report."),
            holds=("campaigns_delivery",),
            default_days=1825,
            minimum_days=400,
            may_keep=True,
            remove=remove_decisions,
            survey=survey_decisions,
        ),
    )
    kept_data.add(
        "campaigns",
        KeptData(
            group="campaigns",
            label=_("Campaigns and messages"),
            why=_("Made by you. Every version of a message stays, so that what was sent can be shown."),
            holds=("campaigns_campaign", "campaigns_message", "campaigns_messageversion"),
        ),
    )
    kept_data.add(
        "sends",
        KeptData(
            group="campaigns",
            label=_("Mails to send"),
            why=_("A queue: a row goes when its mail was decided upon."),
            holds=("campaigns_sendqueue",),
        ),
    )
