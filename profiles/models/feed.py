"""The change feed: who changed, and when everybody could know of it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class ChangedPerson(models.Model):
    """Somebody changed and has no place in the feed yet: the narrow queue. Rows go when done."""

    profile_id = models.BigIntegerField()
    uuid = models.UUIDField(null=True)  # of who was removed, as nothing else will say it
    since = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True)  # null: at once
    attempts = models.SmallIntegerField(db_default=0)

    class Meta:
        db_table = "profiles_changed"
        default_permissions = ()
        indexes = [models.Index(fields=["id"], name="changed_failed_idx", condition=models.Q(attempts__gt=0))]


class PersonChange(models.Model):
    """The place of a person in the feed: one row each, moved to the end when the person changes.

    `changed_at` is no time of a transaction but of the one writer of this table, who is told of changes only after
    their commit: it never goes back, and no two rows share it. Whoever has seen a place has seen all before it.
    """

    profile_id = models.BigIntegerField(primary_key=True)
    uuid = models.UUIDField()
    changed_at = models.DateTimeField()
    gone = models.BooleanField()  # merged into another, erased or removed

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["changed_at", "profile_id"], name="personchange_order_idx"),
            models.Index(fields=["changed_at"], name="personchange_gone_idx", condition=models.Q(gone=True)),
        ]
