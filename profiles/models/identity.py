"""How a person is recognised: identifiers, the links between them, and the merges that follow."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from profiles.models.profile import Profile
from profiles.models.source import Source

#: labels of the kinds that the first migration makes
OWN_LABELS = (
    gettext_noop("User ID"),
    gettext_noop("E-mail address"),
    gettext_noop("Phone number"),
    gettext_noop("Device"),
)


class IdentifierKind(models.Model):
    """A kind of identifier: which wins, how many a person may have, which values are junk."""

    name = models.CharField(max_length=40, primary_key=True)  # user_id, email, phone, anonymous_id, or a custom one
    label = models.CharField(_("label"), max_length=60)
    priority = models.PositiveSmallIntegerField(_("priority"))  # 1 is the strongest
    limit = models.PositiveSmallIntegerField(_("most per person"))
    blocked_values = ArrayField(models.CharField(max_length=200), default=list, blank=True)

    class Meta:
        verbose_name = _("kind of identifier")
        verbose_name_plural = _("kinds of identifier")
        ordering = ["priority"]

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> str:
        """Return the label, in the reader's language where it is one that came with Klantbeeld."""
        return gettext(self.label) if self.label in OWN_LABELS else self.label


class Identifier(models.Model):
    """A value that stands for one person. Everything a person did or said hangs on an identifier, and a profile is
    the union of its identifiers: so merging and unmerging people moves identifiers, and loses nothing.
    """

    kind = models.CharField(max_length=40)
    value = models.CharField(max_length=320)
    #: no database foreign key: on a distributed server this table is sharded by value, profiles by id
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_constraint=False, related_name="identifiers")
    #: the profile that came to life with this identifier; a group of identifiers lives in the lowest profile that one
    #: of its members anchored, so unmerged people get their own profile back
    anchored_profile_id = models.BigIntegerField(null=True)
    #: since when a trusted source (server key, import, API, staff) gives it; confirmation counts as well. Only such an
    #: address is mailed, when permission allows
    trusted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)  # when the person last answered at it
    #: links of trusted sources tie it to its person; else only a public key did, and it is never mailed
    tied = models.BooleanField(db_default=True)
    #: GDPR art. 18, kept here so that an unmerge gives it back to the right person: one is enough for the whole person
    restricted_at = models.DateTimeField(null=True)
    #: something hangs on it (interactions, assertions, records of consent); what is not in use may be dropped
    in_use = models.BooleanField(db_default=True)
    #: no index and no database constraint: a handful of sources, millions of rows, and nobody asks by it
    source = models.ForeignKey(
        Source, null=True, on_delete=models.SET_NULL, db_constraint=False, db_index=False, related_name="+"
    )
    first_seen_at = models.DateTimeField()  # known since
    last_seen_at = models.DateTimeField(null=True)  # when the person last did something under it; see the profile
    #: what was said of the person under this identifier: {trait: {slot: {"v": value, "t": time, "m": tie-break,
    #: "c": cause}}} (see profiles.identity.traits); a profile's traits are the winners over its identifiers
    assertions = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="identifier_unique")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"

    @property
    def trusted(self) -> bool:
        """Tell whether a trusted source gives it, or the person confirmed it."""
        return self.trusted_at is not None


class IdentityLink(models.Model):
    """Two identifiers seen together. The set of links alone decides who is who, whatever order they arrived in."""

    #: `low` is found by the unique index, `high` by its own below
    low = models.ForeignKey(Identifier, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    high = models.ForeignKey(
        Identifier, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    first_at = models.DateTimeField()  # earliest time of the (trusted, if any) messages that carried both
    tie = models.CharField(max_length=40)  # message key of that earliest message: breaks ties the same way everywhere
    weak = models.BooleanField(default=False)  # said by a public key only: may not merge two known people
    manual = models.BooleanField(default=False)  # staff said: these are one; no limit holds it back
    source = models.ForeignKey(
        Source, null=True, on_delete=models.SET_NULL, db_constraint=False, db_index=False, related_name="+"
    )
    denied_at = models.DateTimeField(null=True)  # staff said: these are two people
    denied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["low", "high"], name="identitylink_unique"),
            models.CheckConstraint(condition=models.Q(low__lt=models.F("high")), name="identitylink_ordered"),
        ]
        indexes = [models.Index(fields=["high"], name="identitylink_high_idx")]


class HeldLink(models.Model):
    """A link that was not weighed, because too many identifiers hang together at its ends. It merges nobody."""

    low = models.ForeignKey(Identifier, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    high = models.ForeignKey(Identifier, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    at = models.DateTimeField()
    weak = models.BooleanField(default=False)
    source = models.ForeignKey(
        Source, null=True, on_delete=models.SET_NULL, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["low", "high"], name="heldlink_unique")]


class MergeState(models.TextChoices):
    """Where a merge stands."""

    DONE = "done", _("merged")
    QUARANTINED = "quarantined", _("to review")
    UNDONE = "undone", _("undone")
    DISMISSED = "dismissed", _("kept apart")


class Merge(models.Model):
    """A merge of two profiles, or one that was held back for somebody to look at."""

    winner = models.ForeignKey(Profile, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    loser = models.ForeignKey(Profile, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    link = models.ForeignKey(IdentityLink, null=True, on_delete=models.SET_NULL, related_name="+")
    cause = models.CharField(max_length=60)  # link | limit | weak | size | manual
    state = models.CharField(max_length=12, choices=MergeState, default=MergeState.DONE)
    moved = models.JSONField(default=dict)  # {"identifiers": [...ids], "interactions": n}
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        indexes = [
            models.Index(fields=["winner", "-at"], name="merge_winner_idx"),
            models.Index(fields=["loser"], name="merge_loser_idx"),
            models.Index(fields=["state", "-at", "-id"], name="merge_state_idx"),
            models.Index(fields=["-at", "-id"], name="merge_recent_idx"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["link"], condition=models.Q(state="quarantined"), name="merge_one_review_per_link"
            )
        ]
