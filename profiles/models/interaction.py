"""What a person did."""

from __future__ import annotations

from django.db import models


class Interaction(models.Model):
    """One thing a person did. Append-only; partitioned by month on `occurred_at`; written by COPY.

    `identifier_id` is the strongest identifier that the message carried: when an identifier moves to another profile
    (a merge, its undo), the interactions that hang on it move along, and only those.
    The primary key (profile_id, occurred_at, id) serves the timeline, (name, occurred_at, profile_id) the segments,
    (occurred_at, id) the list of everybody's.
    """

    pk = models.CompositePrimaryKey("profile_id", "occurred_at", "id")
    id = models.BigIntegerField()
    profile_id = models.BigIntegerField()
    identifier_id = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    kind = models.CharField(max_length=10)  # track | page | screen | identify | group | alias
    name = models.CharField(max_length=200)
    properties = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    source_id = models.BigIntegerField()
    message_id = models.CharField(max_length=128)

    class Meta:
        managed = False
        db_table = "profiles_interaction"
        permissions = [("view_interaction", "Can view interactions"), ("add_interaction", "Can send interactions")]
        default_permissions = ()
