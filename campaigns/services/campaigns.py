"""Make campaigns and decide when they go; each function is one transaction and one conditional move of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.checks import blocking, checks_of, forecast_of, needs_confirmation
from campaigns.models import Campaign, CampaignStatus, Message
from campaigns.pauses import BY_HAND, NOTE, PAUSES
from campaigns.rendering.mime import one_line
from campaigns.sending.starting import audience_problem, cancel_waiting
from campaigns.services.messages import sender_identity
from campaigns.wall_time import resolve
from cdp.common.errors import CdpError
from cdp.common.wake import wake
from consent.models import Purpose
from segments.models import Segment


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Who, why and what."""

    name: str
    purpose_id: int | None = None
    segment_id: int | None = None
    exclude_segment_ids: tuple[int, ...] = ()
    message_id: int | None = None
    necessary_because: str = ""


@transaction.atomic
def create_campaign(*, plan: Plan, actor: Any) -> Campaign:
    """Create a draft; parts may still be missing."""
    campaign = Campaign(created_by=actor)
    _fit(campaign, plan)
    campaign.save()
    return campaign


@transaction.atomic
def update_campaign(*, campaign_id: int, plan: Plan) -> Campaign:
    """Change a draft; raise CdpError once it is scheduled (unschedule it first)."""
    campaign = _locked(campaign_id)
    if not campaign.editable:
        raise CdpError(
            "campaign.not_draft", _("Only a draft can be changed; take it off the schedule first."), status=409
        )
    _fit(campaign, plan)
    campaign.changed_at = timezone.now()
    campaign.save()
    return campaign


@transaction.atomic
def schedule_campaign(
    *, campaign_id: int, actor: Any, local_time: str = "", time_zone: str = "", confirm: int | None = None
) -> Campaign:
    """Set the hour and pin the versions; raise CdpError with everything that stands in the way.

    `local_time` is `YYYY-MM-DDTHH:MM` on the clock of `time_zone` (the business's when empty); empty means now.
    `confirm` is the number of recipients, typed by a person, asked when the audience is most of the base (A29).
    """
    campaign = _locked(campaign_id)
    if campaign.status != CampaignStatus.DRAFT:
        raise CdpError("campaign.not_draft", _("This campaign is already scheduled or sent."), status=409)
    counted = forecast_of(campaign)
    stops = blocking(checks_of(campaign, counted))
    if stops:
        raise CdpError(
            "campaign.not_ready",
            " ".join(str(check.message) for check in stops),
            place="checks",
            detail={"checks": [check.code for check in stops]},
        )
    people = needs_confirmation(counted)
    if people and confirm != people:
        raise CdpError(
            "campaign.confirmation_needed",
            _("This reaches %(people)s people, more than half of everybody you know. Type the number to confirm.")
            % {"people": people},
            place="confirm",
            detail={"people": people},
        )
    assert campaign.message is not None and campaign.segment is not None and counted is not None
    campaign.forecast = counted.as_json()
    campaign.time_zone = time_zone or settings.BUSINESS_TIME_ZONE
    campaign.local_time = local_time
    campaign.message_version = campaign.message.current_version
    campaign.segment_version = campaign.segment.current_version
    campaign.sender_identity = sender_identity()
    campaign.scheduled_by = actor
    campaign.status = CampaignStatus.SCHEDULED
    campaign.scheduled_at = _moment(campaign) if local_time else _database_now()
    campaign.changed_at = timezone.now()
    campaign.save()
    wake("campaigns.start_due")
    return campaign


@transaction.atomic
def unschedule_campaign(*, campaign_id: int) -> Campaign:
    """Make a scheduled campaign a draft again."""
    return _move(
        campaign_id,
        {CampaignStatus.SCHEDULED},
        CampaignStatus.DRAFT,
        scheduled_at=None,
        pause_code="",
        pause_params={},
        forecast=None,
    )


@transaction.atomic
def pause_campaign(*, campaign_id: int, reason: str = "") -> Campaign:
    """Hold a campaign; messages that are being handed over at this moment are finished."""
    note = one_line(reason)[:500]
    return _move(
        campaign_id,
        {CampaignStatus.SENDING, CampaignStatus.SCHEDULED},
        CampaignStatus.PAUSED,
        pause_code=NOTE if note else BY_HAND,
        pause_params={"note": note} if note else {},
    )


@transaction.atomic
def resume_campaign(*, campaign_id: int) -> Campaign:
    """Go on with a held campaign; what was put off is tried at once."""
    campaign = _locked(campaign_id)
    if campaign.audience_built_at is None and (problem := audience_problem(campaign)):
        raise CdpError("campaign.segment_changed", PAUSES.text(problem), status=409)
    if campaign.audience_built_at is None and campaign.scheduled_at and campaign.scheduled_at > _database_now():
        # Its hour has not come: it was held while it was only scheduled.
        return _move(campaign_id, {CampaignStatus.PAUSED}, CampaignStatus.SCHEDULED, pause_code="", pause_params={})
    campaign = _move(
        campaign_id,
        {CampaignStatus.PAUSED},
        CampaignStatus.SENDING,
        pause_code="",
        pause_params={},
        trouble_count=0,
        hold_until=None,
        started_at=campaign.started_at or Now(),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_sendqueue SET due_at = now() "
            "WHERE campaign_id = %s AND phase = 'waiting' AND due_at > now()",
            [campaign_id],
        )
    wake("campaigns.start_due")
    return campaign


@transaction.atomic
def cancel_campaign(*, campaign_id: int) -> tuple[Campaign, int]:
    """Stop for good: everything not yet handed over becomes `cancelled`; return the campaign and how many that were."""
    campaign = _move(
        campaign_id,
        {CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.SENDING, CampaignStatus.PAUSED},
        CampaignStatus.CANCELLED,
        finished_at=Now(),
    )
    return campaign, cancel_waiting(campaign_id)


@transaction.atomic
def resend_unknown(*, campaign_id: int, confirm: int) -> int:
    """Send again to those of whom nobody can know whether they got it: a person decides, knowing the number."""
    campaign = _locked(campaign_id)
    if campaign.status not in (CampaignStatus.SENDING, CampaignStatus.PAUSED, CampaignStatus.DONE):
        raise CdpError("campaign.not_resendable", _("This campaign is not being sent and was not sent."), status=409)
    if campaign.decisions_removed_at is not None:
        raise CdpError(
            "campaign.decisions_removed", _("The decisions of this campaign were deleted when their time was up."),
            status=409,
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM campaigns_delivery WHERE campaign_id = %s AND outcome = 'unknown'", [campaign_id]
        )
        people = int(cursor.fetchone()[0])
        if people != confirm or not people:
            message = ngettext(
                "It is %(people)s person now; look at the number and confirm again.",
                "It is %(people)s people now; look at the number and confirm again.",
                people,
            )
            raise CdpError("campaign.count_changed", message % {"people": people}, place="confirm", status=409)
        cursor.execute(
            """
            WITH again AS (
                UPDATE campaigns_delivery SET outcome = 'pending', reason = '', finished_at = NULL
                WHERE campaign_id = %s AND outcome = 'unknown' RETURNING campaign_id, profile_id, occurrence, attempts
            )
            INSERT INTO campaigns_sendqueue (
                campaign_id, profile_id, occurrence, due_at, lease_until, worker, attempts, phase)
            SELECT campaign_id, profile_id, occurrence, now(), NULL, '', attempts, 'waiting'
            FROM again ORDER BY profile_id, occurrence
            ON CONFLICT (campaign_id, profile_id, occurrence) DO NOTHING
            """,
            [campaign_id],
        )
    if campaign.status == CampaignStatus.DONE:
        Campaign.objects.filter(pk=campaign_id).update(
            status=CampaignStatus.SENDING, finished_at=None, closed_tally=None, values_removed_at=None
        )
    wake("campaigns.drain_sends")
    return people


def _locked(campaign_id: int) -> Campaign:
    campaign: Campaign | None = (
        Campaign.objects.select_for_update(of=("self",))
        .select_related("purpose", "segment", "message__current_version")
        .filter(pk=campaign_id)
        .first()
    )
    if campaign is None:
        raise CdpError("campaign.not_found", _("This campaign does not exist."), status=404)
    return campaign


def _move(campaign_id: int, from_states: set[CampaignStatus], to: CampaignStatus, **values: Any) -> Campaign:
    """Change the state if it is one of `from_states`; raise CdpError when somebody was first."""
    moved = Campaign.objects.filter(pk=campaign_id, status__in=from_states).update(
        status=to, changed_at=timezone.now(), **values
    )
    campaign: Campaign | None = Campaign.objects.filter(pk=campaign_id).first()
    if campaign is None:
        raise CdpError("campaign.not_found", _("This campaign does not exist."), status=404)
    if not moved:
        raise CdpError(
            "campaign.state_changed",
            _("The campaign is %(state)s now, so this cannot be done.") % {"state": campaign.get_status_display()},
            status=409,
        )
    return campaign


def _fit(campaign: Campaign, plan: Plan) -> None:
    name = one_line(plan.name)
    if not name or len(name) > 120:
        raise CdpError("campaign.name_invalid", _("Give a name of at most 120 characters."), place="name")
    campaign.name = name
    campaign.necessary_because = one_line(plan.necessary_because)[:300]
    campaign.purpose = _found(Purpose, plan.purpose_id, "purpose")
    campaign.segment = _found(Segment, plan.segment_id, "segment")
    campaign.message = _found(Message, plan.message_id, "message")
    wanted = sorted(set(plan.exclude_segment_ids))
    if Segment.objects.filter(pk__in=wanted).count() != len(wanted):
        raise CdpError("campaign.unknown_part", _("One of the excluded segments does not exist."), place="exclude")
    if plan.segment_id in wanted:
        raise CdpError("campaign.excludes_itself", _("A segment cannot be left out of itself."), place="exclude")
    campaign.exclude_segment_ids = wanted


def _found(model: Any, key: int | None, place: str) -> Any:
    if key is None:
        return None
    row = model.objects.filter(pk=key).first()
    if row is None:
        raise CdpError("campaign.unknown_part", _("The chosen %(part)s does not exist.") % {"part": place}, place=place)
    return row


def _moment(campaign: Campaign) -> Any:
    try:
        moment = resolve(campaign.local_time, campaign.time_zone)
    except ValueError:
        raise CdpError(
            "campaign.time_invalid",
            _("Write the time as 2026-11-27T09:00, in a zone such as Europe/Amsterdam."),
            place="when",
        ) from None
    now = _database_now()
    if moment.utc < now:
        raise CdpError("campaign.time_past", _("This time has passed; choose a later one, or send now."), place="when")
    if (moment.utc - now).days > 730:
        raise CdpError("campaign.time_invalid", _("Choose a time within two years."), place="when")
    return moment.utc


def _database_now() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]
