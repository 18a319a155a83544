"""Bulk exports: what was asked, how far it is, and the file."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ExportState(models.TextChoices):
    """Where an export stands."""

    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("file deleted")


class ExportFormat(models.TextChoices):
    """How the rows are written."""

    NDJSON = "ndjson", _("JSON lines")
    CSV = "csv", _("CSV")


class Export(models.Model):
    """A bulk export. Its file, below VAR_DIR/exports, has the name of its id."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40)  # of cdp.common.exports
    format = models.CharField(max_length=10, choices=ExportFormat)
    filters = models.JSONField(default=dict)
    parts = models.JSONField(default=list)
    open_names = (
        models.BooleanField()
    )  # names and addresses as they are; whoever fetches it must be allowed to see them
    state = models.CharField(max_length=10, choices=ExportState, default=ExportState.WAITING)
    stop_wanted = models.BooleanField(default=False)
    rows = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)  # bytes of the file
    code = models.CharField(max_length=60, blank=True)  # why it failed, or why the file was deleted early
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    as_of = models.DateTimeField(null=True)  # the moment of the database that it shows
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)  # the file is deleted then

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        default_permissions = ()
        indexes = [models.Index(fields=["state", "created_at"], name="export_state_idx")]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"

    @property
    def file_name(self) -> str:
        """Return the name that a browser saves the file under."""
        return f"{self.kind}-{self.created_at:%Y%m%d-%H%M%S}.{self.format}.gz"
