"""Segments, their immutable rule versions, who is in, who came and went, and whom to look at again."""

from __future__ import annotations

import uuid

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Lower, Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Whether a segment is kept up to date."""

    LIVE = "live", _("live")
    BROKEN = "broken", _("broken")
    ARCHIVED = "archived", _("archived")


class Kind(models.TextChoices):
    """How people come into a segment."""

    RULE = "rule", _("by a rule")
    STATIC = "static", _("by hand (a list)")


class Segment(models.Model):
    """A group of people: one that keeps itself up to date by a rule, or a list that is kept by hand."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(max_length=110, unique=True, editable=False)
    description = models.TextField(_("description"), blank=True, max_length=2000)
    #: a list (static) has no version: people, imports and the API write its members, and the engine leaves it alone
    kind = models.CharField(max_length=6, choices=Kind, default=Kind.RULE, editable=False)
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.LIVE)
    broken_code = models.CharField(max_length=40, blank=True, editable=False)  # see segments.reasons
    broken_params = models.JSONField(default=dict, editable=False)
    current_version = models.ForeignKey(
        "SegmentVersion", null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    member_count = models.BigIntegerField(default=0, editable=False)
    #: the moment up to which the members are right
    refreshed_at = models.DateTimeField(null=True, editable=False)
    refresh_ms = models.IntegerField(null=True, editable=False)  # how long the last full refresh took
    #: the moment up to which the sweeper has followed the moving edges of the rule
    swept_at = models.DateTimeField(null=True, editable=False)
    recounted_at = models.DateTimeField(null=True, editable=False)  # the last full refresh
    #: since when looks at some people leave it out, because one failed: the next full refresh makes it right
    behind_since = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        default_permissions = ("add", "change", "view")
        permissions = [("export_segment", "Can export the members of segments")]
        constraints = [
            models.UniqueConstraint(Lower("name"), condition=~models.Q(status="archived"), name="segment_name_unique"),
            models.CheckConstraint(
                name="segment_list_has_no_rule", condition=models.Q(kind="rule") | models.Q(current_version=None)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the segment's page."""
        return reverse("segments:detail", args=[self.slug])

    @property
    def is_list(self) -> bool:
        """Tell whether people are put in by hand."""
        return self.kind == Kind.STATIC


class SegmentVersion(models.Model):
    """A rule as it was saved. It never changes: a new rule is a new version."""

    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    rule = models.JSONField()
    sentence = models.TextField()  # in English, as saved; pages say it again in the reader's language
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("segment version")
        verbose_name_plural = _("segment versions")
        default_permissions = ("view",)
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["segment", "number"], name="segmentversion_unique")]
        triggers = [
            pgtrigger.Protect(name="segment_version_no_delete", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="segment_version_read_only", fields=["segment", "number", "rule", "sentence", "created_at"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} v{self.number}"


class Membership(models.Model):
    """Somebody is in a segment; `version` is the rule that let them in, None in a list.

    No constraints on what it names, here and in the history: checking them row by row took more than half of the time
    of filling a segment, and there is nothing to check. The engine alone writes these rows, from a segment it holds; a
    version cannot be deleted (a trigger), and so neither can its segment.
    """

    pk = models.CompositePrimaryKey("profile_id", "segment_id")
    profile_id = models.BigIntegerField()
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="memberships", db_index=False, db_constraint=False
    )
    version = models.ForeignKey(
        SegmentVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    since = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["segment", "profile_id"], name="membership_segment_idx")]


class MembershipChange(models.Model):
    """Somebody came into a segment or left it."""

    id = models.BigAutoField(primary_key=True)
    profile_id = models.BigIntegerField()
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="changes", db_index=False, db_constraint=False
    )
    version = models.ForeignKey(
        SegmentVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    entered = models.BooleanField()
    at = models.DateTimeField()
    #: touched | refresh | time | rule | broken | archived; of lists: hand | pasted | found | import | import_undone |
    #: api | copy | cleared | merge | undo
    cause = models.CharField(max_length=20)
    actor = models.CharField(max_length=150, db_default="")  # of lists, see consent.services.entries.actor_label

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["segment", "-id"], name="membershipchange_recent_idx"),
            models.Index(fields=["segment", "at"], name="membershipchange_at_idx"),
            models.Index(fields=["profile_id", "-at"], name="membershipchange_person_idx"),
        ]


class ListEntry(models.Model):
    """Somebody was put in a list: the fact that the membership follows from.

    A merge leaves it where it is: whoever the person is now holds the membership, and an undo gives that back.
    """

    pk = models.CompositePrimaryKey("profile_id", "segment_id")
    profile_id = models.BigIntegerField()
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    at = models.DateTimeField()
    cause = models.CharField(max_length=20)  # as in MembershipChange
    actor = models.CharField(max_length=150, db_default="")
    reference = models.CharField(max_length=40, db_default="")  # import:12

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["segment", "profile_id"], name="listentry_segment_idx"),
            models.Index(
                fields=["reference", "profile_id"], name="listentry_reference_idx", condition=~models.Q(reference="")
            ),
        ]


class ListJob(models.Model):
    """Many people on their way into a list: all that were found, those of an import, the members of a segment."""

    class State(models.TextChoices):
        """Where a job stands."""

        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        STOPPED = "stopped", _("stopped")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="jobs")
    what = models.CharField(max_length=10)  # found | import | copy
    params = models.JSONField(default=dict)  # filters of the list of people, number of the import or of the segment
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=40, blank=True)  # why it stopped, see segments.reasons
    upto = models.BigIntegerField(default=0)  # of those found: people who came later are left out
    after = models.BigIntegerField(default=0)  # everybody up to this person (or line of a file) is dealt with
    total = models.BigIntegerField(null=True)  # how many it will be; None while that is not known
    done = models.BigIntegerField(default=0)
    added = models.BigIntegerField(default=0)
    already = models.BigIntegerField(default=0)
    actor = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["segment", "-id"], name="listjob_segment_idx")]


class TouchedProfile(models.Model):
    """Somebody changed and is to be looked at again: the narrow queue. Rows go when done."""

    profile_id = models.BigIntegerField()
    segment_id = models.BigIntegerField(null=True)  # null: by all of them
    since = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True)  # null: at once
    attempts = models.SmallIntegerField(db_default=0)

    class Meta:
        db_table = "segments_touched"
        default_permissions = ()
        indexes = [
            models.Index(fields=["id"], name="touched_failed_idx", condition=models.Q(attempts__gt=0)),
            models.Index(fields=["segment_id"], name="touched_segment_idx", condition=~models.Q(segment_id=None)),
        ]


class SegmentSize(models.Model):
    """How many were in a segment at the end of a day (of the last look on it, today)."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="sizes")
    day = models.DateField()
    members = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["segment", "day"], name="segmentsize_unique")]
