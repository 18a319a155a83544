"""The person."""

from __future__ import annotations

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from profiles.models.source import Source
from profiles.querysets.people import ProfileManager, last_seen_key


class Profile(models.Model):
    """One person: the union of its identifiers. `traits` are the winning values, `origins` where each came from."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    traits = models.JSONField(default=dict)
    #: {trait: {"s": source id, "t": ISO time, "c": cause}}, with "pin": true for what staff pinned
    origins = models.JSONField(default=dict)
    # Derived for lists, search and sending; kept by the same code that writes traits and identifiers.
    display_name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=320, blank=True)  # the address to send to: a trusted one only
    search_text = models.TextField(blank=True)  # lower-case names, addresses and ids, for the search box
    identified = models.BooleanField(default=False)  # has a user id or a mail address
    created_at = models.DateTimeField(db_default=Now())
    first_seen_at = models.DateTimeField()  # known since, from whatever source
    #: when the person last did something: a message of a website, app or server. Imports, the API, staff and merges are
    #: not the person's doing; null: never seen
    last_seen_at = models.DateTimeField(null=True)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+")
    #: GDPR art. 18: stored, not used. Follows from the identifiers, of which the strictest counts
    restricted_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    objects = ProfileManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = [
            ("view_pii", "Can see names and addresses"),
            ("export_profile", "Can export people"),
            ("merge_profile", "Can merge and unmerge people"),
            ("erase_profile", "Can erase people"),
        ]
        indexes = [
            models.Index(
                last_seen_key().desc(),
                models.F("id").desc(),
                name="profile_alive_seen_idx",
                condition=models.Q(merged_into=None, erased_at=None),
            ),
            models.Index(
                fields=["-first_seen_at", "-id"],
                name="profile_alive_first_idx",
                condition=models.Q(merged_into=None, erased_at=None),
            ),
            models.Index(
                fields=["-last_seen_at", "-id"],
                name="profile_restricted_idx",
                condition=models.Q(restricted_at__isnull=False),
            ),
            models.Index(fields=["merged_into"], name="profile_merged_idx", condition=~models.Q(merged_into=None)),
            GinIndex(fields=["search_text"], opclasses=["gin_trgm_ops"], name="profile_search_idx"),
        ]

    def __str__(self) -> str:
        return self.display_name or str(self.uuid)


class TraitChange(models.Model):
    """A change of one trait of one person: what it was, what it became, who said so."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    key = models.CharField(max_length=100)
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+")
    at = models.DateTimeField()
    cause = models.CharField(max_length=60)  # identify | import:12 | manual:user | merge | undo

    class Meta:
        verbose_name = _("trait change")
        verbose_name_plural = _("trait changes")
        indexes = [models.Index(fields=["profile", "-at"], name="traitchange_profile_idx")]
