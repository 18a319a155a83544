"""A campaign: one message, to one segment, for one purpose, at one moment."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.message import Message, MessageVersion
from campaigns.pauses import PAUSES
from campaigns.querysets.campaigns import CampaignManager


class CampaignStatus(models.TextChoices):
    """Where a campaign stands. draft -> scheduled -> sending <-> paused -> done; cancelled from any before done."""

    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    SENDING = "sending", _("sending")
    PAUSED = "paused", _("paused")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")


class CampaignKind(models.TextChoices):
    """Who decides whom it goes to."""

    CAMPAIGN = "campaign", _("campaign")  # a segment, once
    SINGLE = "single", _("single sends")  # a program, one person at a time


class Campaign(models.Model):
    """What is sent to whom, when and why. Versions are pinned when it is scheduled.

    Of kind `single` there is one row for each message and purpose that programs send with: it holds what all of those
    sends share (the trouble with the mail server, a pause, the log of what was handed over), and no page lists it.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # names it outside this database
    kind = models.CharField(max_length=10, choices=CampaignKind, default=CampaignKind.CAMPAIGN, editable=False)
    name = models.CharField(_("name"), max_length=120)
    purpose = models.ForeignKey(
        "consent.Purpose", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("purpose")
    )
    #: why people who said no to marketing must get it; asked when the purpose is no marketing
    necessary_because = models.CharField(_("why everybody needs it"), max_length=300, blank=True)
    segment = models.ForeignKey(
        "segments.Segment", null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("segment")
    )
    exclude_segment_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    message = models.ForeignKey(
        Message, null=True, blank=True, on_delete=models.PROTECT, related_name="+", verbose_name=_("message")
    )
    message_version = models.ForeignKey(MessageVersion, null=True, on_delete=models.PROTECT, related_name="+")
    segment_version = models.ForeignKey(
        "segments.SegmentVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )
    channel = models.CharField(max_length=10, default="email", editable=False)
    status = models.CharField(max_length=10, choices=CampaignStatus, default=CampaignStatus.DRAFT)
    #: the moment, resolved; `local_time` and `time_zone` keep what was meant (a zone's rules may change)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    local_time = models.CharField(max_length=16, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    #: set once the decisions are all written; from then on it never changes, and the report adds up to it
    audience_total = models.PositiveIntegerField(null=True, blank=True)
    audience_built_at = models.DateTimeField(null=True, blank=True)
    #: what was foreseen when it was scheduled ({at, total, skipped}): the report names what differs (invariant 18)
    forecast = models.JSONField(null=True, editable=False)
    #: [[outcome, reason, people], ...], kept when it has ended: counting a large audience again is for nothing
    closed_tally = models.JSONField(null=True, editable=False)
    pause_code = models.CharField(max_length=40, blank=True)  # see campaigns.pauses
    pause_params = models.JSONField(default=dict)
    #: the mail server's trouble, in a row, and until when it is left alone
    trouble_count = models.PositiveSmallIntegerField(default=0)
    hold_until = models.DateTimeField(null=True, blank=True)
    #: set by retention: the personal values of its mails are gone; its decisions are, but for `closed_tally`
    values_removed_at = models.DateTimeField(null=True, editable=False)
    decisions_removed_at = models.DateTimeField(null=True, editable=False)
    #: of single sends: when the database was put back from a backup, after which mails may have gone that it forgot
    restored_at = models.DateTimeField(null=True, editable=False)
    sender_identity = models.CharField(max_length=500, blank=True)  # as it stood in the footer
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    scheduled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = CampaignManager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        permissions = [("send_campaign", "Can schedule, pause and cancel campaigns")]
        indexes = [
            models.Index(fields=["-changed_at", "-id"], name="campaign_changed_idx"),
            models.Index(fields=["scheduled_at"], name="campaign_due_idx", condition=Q(status="scheduled")),
        ]
        constraints = [
            models.CheckConstraint(
                name="campaign_complete_when_scheduled",
                condition=Q(status__in=["draft", "cancelled"])
                | Q(kind="single", purpose__isnull=False, message__isnull=False)
                | Q(
                    purpose__isnull=False,
                    segment__isnull=False,
                    message_version__isnull=False,
                    scheduled_at__isnull=False,
                ),
            ),
            models.UniqueConstraint(
                fields=["message", "purpose"], name="campaign_single_unique", condition=Q(kind="single")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_single(self) -> bool:
        """Tell whether programs send with it, one person at a time."""
        return self.kind == CampaignKind.SINGLE

    @property
    def editable(self) -> bool:
        """Tell whether its parts may still be changed."""
        return self.status == CampaignStatus.DRAFT

    @property
    def pause_label(self) -> str:
        """Return why it stands still, in the reader's language."""
        return PAUSES.text(self.pause_code, self.pause_params) if self.pause_code else ""

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will be sent."""
        return self.status in (CampaignStatus.DONE, CampaignStatus.CANCELLED)

    @property
    def under_way(self) -> bool:
        """Tell whether it has an audience that is not yet all decided."""
        return self.status in (CampaignStatus.SENDING, CampaignStatus.PAUSED)
