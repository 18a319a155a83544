"""Verifications of the ledger: how far each came, and what it found."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class LedgerCheck(models.Model):
    """A verification, of the whole ledger or of what is new since the last one that found nothing.

    It goes phase by phase, each from one end to the other, and remembers where it is: a worker that dies is followed by
    another that goes on from there.
    """

    class Phase(models.TextChoices):
        """What is looked at, in this order."""

        RECORDS = "records", _("records, evidence and seals")
        HEADS = "heads", _("ends of the chains")
        STATES = "states", _("answers that hold")
        DONE = "done", _("done")

    whole = models.BooleanField(default=True)
    from_id = models.BigIntegerField()  # of the first record
    to_id = models.BigIntegerField()  # of the last; what comes later is for the next one
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.RECORDS)
    cursor = models.BigIntegerField(default=0)  # the last record, subject or person of the phase that was looked at
    records = models.BigIntegerField(default=0)  # looked at so far
    problem_count = models.BigIntegerField(default=0)
    problems = models.JSONField(default=list)  # the first of them: {code, place, message}
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("verification of the ledger")
        verbose_name_plural = _("verifications of the ledger")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["whole"], condition=models.Q(finished_at=None), name="ledgercheck_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M} ({self.phase})"
