"""The receipt of an erasure: what was removed, where, and nothing about whom."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Erasure(models.Model):
    """One person erased. `counts` names rows per table."""

    profile_id = models.BigIntegerField(unique=True)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=200)
    at = models.DateTimeField(db_default=Now())
    counts = models.JSONField(default=dict)
    #: [{"code", "params"}]: what of others named the person and was changed, see PersonalDataHolder
    notes = models.JSONField(default=list)
    #: where words of the person still stand, see consent.services.erasing
    left = models.JSONField(default=dict)
    #: of the identifiers whose messages are still to be cut out of stored bodies; emptied when that is done
    digests = ArrayField(models.BigIntegerField(), default=list)
    taken_out_at = models.DateTimeField(null=True)  # from then on nothing of theirs can come in
    finished_at = models.DateTimeField(null=True)  # null: to be gone on with

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.profile_id}: {self.at:%Y-%m-%d}"
