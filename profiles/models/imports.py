"""Files of contacts: the job, and what became of every row."""

from __future__ import annotations

import uuid

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


class Outcome(models.TextChoices):
    """What a row of the file does, or did, to a person."""

    CREATED = "created", _("created")
    UPDATED = "updated", _("updated")
    UNCHANGED = "unchanged", _("unchanged")
    SKIPPED = "skipped", _("skipped")
    REJECTED = "rejected", _("rejected")


class Import(models.Model):
    """A contact file on its way in. Nothing is written to people before the marketer saw the dry run and agreed."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=200)
    file = models.FileField(upload_to="imports/")
    file_digest = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(default=0)
    encoding = models.CharField(max_length=20, default="utf-8")
    delimiter = models.CharField(max_length=1, default=",")
    header = models.JSONField(default=list)
    header_digest = models.CharField(max_length=64, blank=True, db_index=True)  # finds the mapping used last time
    mapping = models.JSONField(default=dict)
    proof = models.JSONField(default=dict)  # where permission was given: source, date and wording, stated by a person
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.UPLOADED)
    source = models.ForeignKey(Source, null=True, on_delete=models.PROTECT, related_name="+")
    counts = models.JSONField(default=dict)  # see profiles.importing.plan.Counts
    planned = models.JSONField(default=dict)  # the counts of the dry run, to compare the result with
    rows_total = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    done_line = models.BigIntegerField(default=0)  # every row up to this line is committed
    stop_wanted = models.CharField(max_length=10, blank=True)  # paused | cancelled: heeded between two blocks
    error_code = models.CharField(max_length=60, blank=True)  # see profiles.importing.reasons.IMPORT_ERRORS
    error_params = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    said_at = models.DateTimeField(null=True)  # the moment that all its words bear: when the commit began
    started_at = models.DateTimeField(null=True)  # of the step under way: dry run, commit or undo
    finished_at = models.DateTimeField(null=True)
    rows_removed_at = models.DateTimeField(null=True)  # by retention: from then on it cannot be undone

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class ImportRow(models.Model):
    """A row of the file: what will happen or happened, and why. Rows are personal data and are cleared on erasure."""

    pk = models.CompositePrimaryKey("import_id", "line")
    import_id = models.BigIntegerField()
    line = models.BigIntegerField()  # line number in the file, the header is 1
    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.CharField(max_length=60, blank=True)  # stable code, see profiles.importing.reasons
    params = models.JSONField(null=True)  # of the reason: the column, or the other line, that it is about
    cells = models.JSONField(null=True)  # the original text, of rejected rows only
    data = models.JSONField(null=True)  # the checked values of the others, see profiles.importing.rows
    profile_id = models.BigIntegerField(null=True)
    changes = models.JSONField(null=True)  # {trait: [old, new]}, of updated rows
    before = models.JSONField(null=True)  # what an undo puts back, see profiles.importing.people

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["import_id", "outcome", "line"], name="importrow_outcome_idx"),
            models.Index(
                fields=["profile_id"], name="importrow_profile_idx", condition=models.Q(profile_id__isnull=False)
            ),
        ]
