"""Addresses that may not be used. Kept as keyed digests: the list outlives an erasure and tells nothing if leaked."""

from __future__ import annotations

import uuid

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SuppressionReason(models.TextChoices):
    """Why an address may not be used."""

    ERASURE = "erasure", _("erasure")
    OBJECTION = "objection", _("objection")
    BOUNCE = "bounce", _("address does not exist")
    COMPLAINT = "complaint", _("spam complaint")
    MANUAL = "manual", _("by hand")


class Suppression(models.Model):
    """HMAC-SHA-256 of `kind:value`, with the reason (see profiles.identity.digests)."""

    uuid = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), unique=True, editable=False)
    digest = models.CharField(max_length=64)
    key_chain = models.CharField(max_length=120)  # ids of the keys, in the order in which they were applied
    kind = models.CharField(max_length=40)
    reason = models.CharField(_("reason"), max_length=10, choices=SuppressionReason)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=150, blank=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=150, blank=True)
    lift_note = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppression")
        default_permissions = ("add", "view")
        constraints = [models.UniqueConstraint(fields=["digest", "reason"], name="suppression_unique")]
        indexes = [models.Index(fields=["-created_at", "-id"], name="suppression_recent_idx")]

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:12]} ({self.reason})"


class SuppressionKey(models.Model):
    """A chain of keys by which digests are stored. Keys that do not know all of these are not those of the list."""

    name = models.CharField(max_length=120, primary_key=True)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
