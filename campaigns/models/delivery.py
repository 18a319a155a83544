"""The decision ledger: what became of every person of every audience; and the queue of what is to be sent."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from campaigns.models.message import MessageVersion
from campaigns.querysets.deliveries import DeliveryManager


class Outcome(models.TextChoices):
    """What became of one message to one person."""

    PENDING = "pending", _("waiting")
    SENT = "sent", _("sent")
    SKIPPED = "skipped", _("not sent")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("nobody can know")
    CANCELLED = "cancelled", _("cancelled")


class Delivery(models.Model):
    """One decision: exactly one row per (campaign, person, occurrence), by its primary key.

    A campaign decides once about each person: its occurrence is always empty. A single send is one of many to a person:
    its occurrence is the key that the program gave it. Keyed so that it can be distributed by profile: no unique
    constraint without `profile_id`.
    """

    pk = models.CompositePrimaryKey("campaign_id", "profile_id", "occurrence")
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="+", db_index=False)
    profile_id = models.BigIntegerField()
    occurrence = models.CharField(max_length=100, default="", db_default="")
    uuid = models.UUIDField(default=uuid.uuid4)  # names the message in its Message-ID: the same on every attempt
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.PENDING)
    reason = models.CharField(max_length=60, blank=True)  # stable code; the words are in campaigns.reasons
    consent_record_id = models.BigIntegerField(null=True)  # the record that allowed it
    basis = models.CharField(max_length=40, blank=True)  # the legal basis, where it needs no record
    #: the terms of the purpose by which it was decided; asked anew, and written anew, at the moment of sending
    purpose_version = models.ForeignKey(
        "consent.PurposeVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    message_version = models.ForeignKey(MessageVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    address_digest = models.CharField(max_length=64, blank=True)  # keyed: finds an address without keeping it
    #: the values that this person's copy was rendered with, so that it can be shown again exactly
    context = models.JSONField(default=dict)
    smtp_code = models.PositiveSmallIntegerField(default=0)
    smtp_reply = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    decided_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = DeliveryManager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["profile_id", "-decided_at"], name="delivery_profile_idx"),
            models.Index(fields=["campaign", "outcome", "reason", "profile_id"], name="delivery_outcome_idx"),
            models.Index(fields=["campaign", "address_digest"], name="delivery_address_idx"),
            models.Index(fields=["uuid"], name="delivery_uuid_idx"),
            models.Index(fields=["campaign", "-decided_at"], name="delivery_single_idx", condition=~Q(occurrence="")),
        ]
        constraints = [
            models.CheckConstraint(
                name="delivery_sent_by_permission",
                condition=~Q(outcome__in=["sent", "unknown"]) | Q(consent_record_id__isnull=False) | ~Q(basis=""),
            ),
            models.CheckConstraint(
                name="delivery_reason_given",
                condition=~Q(outcome__in=["skipped", "failed"]) | ~Q(reason=""),
            ),
        ]


class QueuePhase(models.TextChoices):
    """How far a queued send has come."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    HANDING_OVER = "handing_over"


class SendQueue(models.Model):
    """What is still to be sent. Narrow and short-lived: a row is gone once its delivery is decided."""

    pk = models.CompositePrimaryKey("campaign_id", "profile_id", "occurrence")
    campaign_id = models.BigIntegerField()
    profile_id = models.BigIntegerField()
    occurrence = models.CharField(max_length=100, default="", db_default="")
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=40, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    phase = models.CharField(max_length=12, default=QueuePhase.WAITING)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["campaign_id", "due_at"], name="sendqueue_due_idx", condition=Q(phase="waiting")),
            models.Index(fields=["lease_until"], name="sendqueue_lease_idx", condition=~Q(phase="waiting")),
            models.Index(fields=["worker"], name="sendqueue_worker_idx", condition=~Q(phase="waiting")),
        ]
