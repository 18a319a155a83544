"""What came in: the raw bodies and whom they name, the inbox, what was rejected, what was seen before."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from profiles.collector.routes import nearest_address
from profiles.models.source import Source
from profiles.refusals import REFUSALS
from profiles.rejections import LEFT_OUT, REJECTIONS


class RawMessage(models.Model):
    """A request body as received, verbatim. Partitioned by day on `received_at`; the collector writes it by COPY.

    `id` comes from the sequence `profiles_raw_id_seq`, which the collector takes in blocks.
    """

    pk = models.CompositePrimaryKey("received_at", "id")
    id = models.BigIntegerField()
    received_at = models.DateTimeField()
    source_id = models.BigIntegerField()
    endpoint = models.CharField(max_length=16)  # batch | track | identify | page | screen | group | alias | import
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.TextField(default="")
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = "profiles_rawmessage"


class RawIdentifier(models.Model):
    """A body names somebody: a keyed digest of eight bytes (`profiles.keyring`), or UNREADABLE for one that may name
    anybody. Written by the processor for all that it reads, rejected and duplicate too; partitioned like the bodies.
    """

    UNREADABLE = 0

    pk = models.CompositePrimaryKey("received_at", "raw_id", "digest")
    received_at = models.DateTimeField()
    raw_id = models.BigIntegerField()
    digest = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "profiles_rawidentifier"


class InboxEntry(models.Model):
    """A raw message that waits to be processed: the narrow queue. Rows are deleted when done."""

    raw_id = models.BigIntegerField(primary_key=True)
    received_at = models.DateTimeField()
    source_id = models.BigIntegerField()
    attempts = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)  # null: at once

    class Meta:
        db_table = "profiles_inbox"
        indexes = [models.Index(fields=["raw_id"], name="inbox_failed_idx", condition=models.Q(attempts__gt=0))]


class SeenMessage(models.Model):
    """A message id that counted. `key` is the first 16 bytes of sha256(source id, message id) as a uuid."""

    key = models.UUIDField(primary_key=True)
    payload_digest = models.BinaryField(max_length=8)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "profiles_seenmessage"
        indexes = [models.Index(fields=["received_at"], name="seenmessage_received_idx")]  # for retention


class RejectedMessage(models.Model):
    """A message that was received and not stored, with the reason. Nothing disappears without a word."""

    uuid = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), unique=True, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    received_at = models.DateTimeField(db_index=True)
    raw_id = models.BigIntegerField()
    position = models.IntegerField(default=0)  # place within the batch
    message_id = models.CharField(max_length=128, blank=True)
    code = models.CharField(max_length=40)
    params = models.JSONField(default=dict)  # of the reason's sentence, see profiles.rejections
    payload = models.JSONField(default=dict)
    names = ArrayField(models.BigIntegerField(), default=list)  # whom it names, as in RawIdentifier
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=10, blank=True)  # replayed | discarded

    class Meta:
        verbose_name = _("rejected message")
        verbose_name_plural = _("rejected messages")
        indexes = [
            models.Index(fields=["source", "-id"], name="rejected_source_idx"),
            models.Index(fields=["-id"], name="rejected_open_idx", condition=models.Q(resolved_at=None)),
            GinIndex(fields=["names"], name="rejected_names_idx"),
        ]

    @property
    def reason_text(self) -> str:
        """Return why it was not stored, in the reader's language."""
        return REJECTIONS.label(self.code)

    @property
    def detail_text(self) -> str:
        """Return what the reason says of this message, in the reader's language, or ""."""
        return REJECTIONS.sentence(self.code, self.params)


class SourceCounter(models.Model):
    """Messages of a source in an hour; received = stored + duplicate + rejected + erased, always."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField()
    received = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    conflicting = models.BigIntegerField(default=0)  # duplicates whose payload differed from the first
    rejected = models.BigIntegerField(default=0)
    erased = models.BigIntegerField(default=0)  # kept out, because they name an erased person

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "hour"], name="sourcecounter_unique"),
            models.CheckConstraint(
                condition=models.Q(
                    received=models.F("stored") + models.F("duplicate") + models.F("rejected") + models.F("erased")
                ),
                name="sourcecounter_adds_up",
            ),
        ]


class LeftOutValue(models.Model):
    """Values of a field that stored messages of a source came in without; written by `profiles.processing.left_out`."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    code = models.CharField(max_length=40)
    field = models.CharField(max_length=200)
    count = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["source", "code", "field"], name="leftoutvalue_unique")]

    @property
    def reason_text(self) -> str:
        """Return why they were left out, in the reader's language."""
        return LEFT_OUT.label(self.code)

    @property
    def hint_text(self) -> str:
        """Return what the sender should change, or ""."""
        return LEFT_OUT.hint(self.code)


class RefusedRequest(models.Model):
    """Requests that the collector refused, counted by what they have in common: an SDK that is set up wrong.

    Written by `profiles.collector.refusals`, a bounded number of rows. An empty path: many others with the same code.
    """

    key = models.UUIDField(unique=True)  # digest of the columns up to `key_start`
    source = models.ForeignKey(Source, null=True, on_delete=models.CASCADE, related_name="+")  # null: unknown
    code = models.CharField(max_length=40)
    path = models.CharField(max_length=200, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    origin = models.CharField(max_length=200, blank=True)
    key_start = models.CharField(max_length=20, blank=True)  # of a key that opens nothing; never the key
    count = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("refused request")
        verbose_name_plural = _("refused requests")

    @property
    def reason_text(self) -> str:
        """Return why it was refused, in the reader's language."""
        return REFUSALS.label(self.code)

    @property
    def hint_text(self) -> str:
        """Return what its sender should change, or ""."""
        return REFUSALS.hint(self.code)

    @property
    def nearest(self) -> str:
        """Return the address that its sender meant, as far as it can be guessed, or ""."""
        return nearest_address(self.path) if self.code == "not_found" else ""
