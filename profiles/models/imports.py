"""Files of contacts: the job, and what became of every row."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from profiles.models.source import Source


class ImportState(models.TextChoices):
    """Where an import stands."""

    UPLOADED = "uploaded", _("uploaded")
    CHECKING = "checking", _("dry run")
    READY = "ready", _("ready to commit")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")
    UNDOING = "undoing", _("being undone")
    UNDONE = "undone", _("undone")


class Import(models.Model):
    """A contact file on its way in. Nothing is written to people before the marketer saw the dry run and agreed."""

    name = models.CharField(_("name"), max_length=200)
    file = models.FileField(upload_to="imports/")
    file_digest = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(default=0)
    encoding = models.CharField(max_length=20, default="utf-8")
    delimiter = models.CharField(max_length=1, default=",")
    header = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.UPLOADED)
    source = models.ForeignKey(Source, null=True, on_delete=models.PROTECT, related_name="+")
    counts = models.JSONField(default=dict)  # created, updated, unchanged, skipped, rejected, consent_lowered, ...
    rows_total = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)  # a worker that died leaves this behind; another goes on

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class ImportRow(models.Model):
    """A row of the file: what will happen or happened, why, and what the person was before (for undo)."""

    pk = models.CompositePrimaryKey("import_id", "line")
    import_id = models.BigIntegerField()
    line = models.BigIntegerField()  # line number in the file, the header is 1
    cells = models.JSONField(default=dict)
    outcome = models.CharField(max_length=10, blank=True)  # created | updated | unchanged | skipped | rejected
    reason = models.CharField(max_length=60, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    profile_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True)
    committed = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
