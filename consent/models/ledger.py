"""The ledger: what people allowed, in an order that cannot be altered without being found.

A chain belongs to a *subject*: the identifier under which the person spoke. Identifiers move between profiles when
people are joined or parted, and their chains go along; nothing is rewritten. The ledger is sharded by
`identifier_id`, the states by `profile_id`; both can be rebuilt from the ledger and the identifiers.
"""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from consent.models.purpose import Channel, ConsentText, Purpose, PurposeVersion
from profiles.models import Source


class State(models.TextChoices):
    """What was said."""

    GIVEN = "given", _("given")
    SOFT_OPT_IN = "soft_opt_in", _("soft opt-in")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")
    OBJECTED = "objected", _("objected")
    EXPIRED = "expired", _("expired")
    INVALIDATED = "invalidated", _("taken back")


class Method(models.TextChoices):
    """How it was said."""

    FORM = "form", _("form")
    DOUBLE_OPT_IN = "double_opt_in", _("double opt-in")
    PREFERENCES = "preferences", _("preference page")
    ONE_CLICK = "one_click", _("one-click unsubscribe")
    UNSUBSCRIBE = "unsubscribe", _("unsubscribe page")
    EVENT = "event", _("event of a trusted source")
    API = "api", _("API")
    IMPORT = "import", _("import")
    PAPER = "paper", _("on paper")
    PHONE = "phone", _("by phone")
    MAIL = "mail", _("by mail or letter")
    OFFICER = "officer", _("by a privacy officer")
    COMPLAINT = "complaint", _("spam complaint")
    MERGE = "merge", _("joining of people")
    RULE = "rule", _("rule (retention)")
    IMPORT_UNDONE = "import_undone", _("import undone")
    JOURNAL = "journal", _("journal, after a restored backup")


class Proof(models.TextChoices):
    """How well it is known that the person said it; see consent.policy.states."""

    SEEN = "seen", _("seen by us")
    CLAIMED = "claimed", _("claimed")
    NONE = "none", _("none")


class ConsentRecord(models.Model):
    """One statement about one purpose and channel. Rows are only ever added; see consent.policy.chain for the hash."""

    #: how the API names it; no part of the chain. Found by a plain index: a unique one would cross shards
    uuid = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    identifier_id = models.BigIntegerField()  # the subject, whose chain this is; no key: outlives the identifier
    position = models.PositiveIntegerField()
    profile_id = models.BigIntegerField()  # who the subject was at that time
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="+")
    #: the terms in force when it was recorded
    purpose_version = models.ForeignKey(PurposeVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    channel = models.CharField(max_length=10, choices=Channel)
    state = models.CharField(max_length=12, choices=State)
    #: only a record with a proof may lift an objection
    proof = models.CharField(max_length=8, choices=Proof, default=Proof.NONE)
    method = models.CharField(max_length=20, choices=Method)
    actor = models.CharField(max_length=150)  # subject | user:<name> | token:<uuid> | source:<id> | system:<rule>
    source = models.ForeignKey(
        Source,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    text = models.ForeignKey(ConsentText, null=True, on_delete=models.PROTECT, related_name="+")
    because_id = models.BigIntegerField(null=True)  # the record that this one follows from (a join repeats it)
    #: what it came with: import:12, delivery:3:77, message:<id>; never an address
    reference = models.CharField(max_length=160, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    payload_digest = models.CharField(max_length=64, blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("consent record")
        verbose_name_plural = _("consent log")
        default_permissions = ("add", "view")
        constraints = [
            models.UniqueConstraint(fields=["identifier_id", "position"], name="consentrecord_chain_unique"),
        ]
        indexes = [
            models.Index(fields=["profile_id"], name="consentrecord_profile_idx"),
            models.Index(fields=["purpose", "-id"], name="consentrecord_purpose_idx"),
            models.Index(fields=["state", "-id"], name="consentrecord_state_idx"),
            models.Index(fields=["method", "-id"], name="consentrecord_method_idx"),
            models.Index(fields=["recorded_at"], name="consentrecord_recorded_idx"),
            models.Index(fields=["text"], name="consentrecord_text_idx"),
            models.Index(fields=["uuid"], name="consentrecord_uuid_idx"),
            models.Index(
                fields=["reference", "identifier_id"],
                name="consentrecord_reference_idx",
                condition=~models.Q(reference=""),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="consent_record_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
            ),
            pgtrigger.Trigger(
                name="consent_record_no_truncate",
                operation=pgtrigger.Truncate,
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                func="RAISE EXCEPTION 'pgtrigger: the consent ledger is append-only';",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.purpose_id}/{self.channel} {self.state}"


class ConsentChain(models.Model):
    """The head of a subject's chain: what is locked to append, and what shows that the last rows are all there."""

    identifier_id = models.BigIntegerField(primary_key=True)
    position = models.PositiveIntegerField(default=0)
    head = models.CharField(max_length=64)
    record_id = models.BigIntegerField(default=0)  # the last record: tells which chains grew since a verification

    class Meta:
        default_permissions = ()


class ConsentEvidence(models.Model):
    """The personal part of a record. Erasing it leaves the chain whole: that covers only its salted digest."""

    record = models.OneToOneField(
        ConsentRecord,
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="evidence",
    )
    identifier_id = models.BigIntegerField(db_index=True)
    salt = models.CharField(max_length=64, blank=True)
    payload = models.JSONField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()


class ConsentState(models.Model):
    """The answer of this moment. Derivable from the ledger; kept so that a million people can be asked in one join."""

    pk = models.CompositePrimaryKey("profile_id", "purpose", "channel")
    profile_id = models.BigIntegerField()
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=10, choices=Channel)
    state = models.CharField(max_length=12, choices=State)
    record_id = models.BigIntegerField()
    proof = models.CharField(max_length=8, choices=Proof, default=Proof.NONE)
    since = models.DateTimeField()  # when it was said
    recorded_at = models.DateTimeField()  # when we learned it

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["purpose", "channel", "state", "profile_id"],
                name="consentstate_purpose_idx",
            ),
            models.Index(
                fields=["profile_id"],
                name="consentstate_objected_idx",
                condition=models.Q(state="objected"),
            ),
        ]


class LedgerSeal(models.Model):
    """The root over all records since the seal before, chained to it."""

    from_id = models.BigIntegerField()  # first record id not in an earlier seal
    to_id = models.BigIntegerField()
    count = models.BigIntegerField()
    root = models.CharField(max_length=64)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("ledger seal")
        verbose_name_plural = _("ledger seals")
        default_permissions = ("view",)
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["prev_hash"], name="ledgerseal_one_line")]
        indexes = [models.Index(fields=["to_id"], name="ledgerseal_to_idx")]
        triggers = [
            pgtrigger.Protect(name="ledger_seal_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.sealed_at:%Y-%m-%d} {self.hash[:12]}"
