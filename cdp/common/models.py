"""Rows that every app may need: API tokens, the access log, heartbeats, what is kept for how long."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cdp.common.token_scopes import SCOPES

#: what every API token begins with, so that secret scanners find one: `kbt_[A-Za-z0-9_-]{43}`
TOKEN_PREFIX = "kbt_"  # noqa: S105 -- the public part
#: no entry of the access log can be deleted before this, by whatever way
ACCESS_LOG_DAYS = 180


class ApiToken(models.Model):
    """A secret for `Authorization: Bearer`; only its digest is stored.

    It may do what its user may do and one of its scopes gives (`cdp.common.token_scopes`), until it expires.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), on_delete=models.CASCADE, related_name="+"
    )
    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=8, editable=False)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"), default=list)
    networks = ArrayField(models.CharField(max_length=43), verbose_name=_("networks"), default=list, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"

    @staticmethod
    def digest_of(token: str) -> str:
        """Return the stored form of a token; it has 256 bits of chance, so a plain digest cannot be guessed."""
        return hashlib.sha256(token.encode()).hexdigest()

    @classmethod
    def issue(
        cls,
        *,
        user: Any,
        name: str,
        scopes: Collection[str] = tuple(SCOPES),
        expires_at: datetime | None = None,
        networks: Collection[str] = (),
        token: str | None = None,
    ) -> tuple[ApiToken, str]:
        """Create a token for `user`; return the row and the secret, which cannot be shown again."""
        token = token or TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = cls.objects.create(
            user=user,
            name=name,
            digest=cls.digest_of(token),
            hint=token[-4:],
            scopes=sorted(scopes),
            expires_at=expires_at,
            networks=list(networks),
        )
        return row, token


class Account(models.Model):
    """What is kept of a user beside Django's own row; a second factor and the link to a single sign-on come here."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+")
    temporary_until = models.DateTimeField(null=True)  # the password was set by somebody else, and ends then

    class Meta:
        default_permissions = ()


class ApiAnswer(models.Model):
    """What was answered to a request with an `Idempotency-Key`; see `cdp.common.api_idempotency`. Kept for a day."""

    name = models.CharField(max_length=64, primary_key=True)  # digest of who asked, and the key
    asked = models.CharField(max_length=64)  # digest of the request
    status = models.PositiveSmallIntegerField()
    answer = models.TextField(null=True)  # None: not kept, or emptied because somebody was erased
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        default_permissions = ()


class AccessLog(models.Model):
    """Who looked up, exported or changed whom. Append-only; ids, never names or addresses (ASVS 16.2)."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_label = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=60)  # dotted: profile.viewed, profile.exported, segment.exported
    object_kind = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("access log entry")
        verbose_name_plural = _("access log")
        indexes = [
            models.Index(fields=["object_kind", "object_id", "-at"], name="access_object_idx"),
            models.Index(fields=["action", "-id"], name="access_action_idx"),
            models.Index(fields=["actor_label", "-id"], name="access_actor_idx"),
            # who looked at a person among others: the ids of a list stand in its detail
            GinIndex(fields=["detail"], opclasses=["jsonb_path_ops"], name="access_detail_idx"),
        ]
        triggers = [
            pgtrigger.Protect(name="access_append_only", operation=pgtrigger.Update),
            # Retention may remove old entries; nobody may remove young ones.
            pgtrigger.Protect(
                name="access_no_young_delete",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Condition(f"OLD.at > now() - interval '{ACCESS_LOG_DAYS} days'"),
            ),
            pgtrigger.Trigger(
                name="access_no_truncate",
                operation=pgtrigger.Truncate,
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                func="RAISE EXCEPTION 'pgtrigger: the access log is append-only';",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label} {self.action}"


class Heartbeat(models.Model):
    """The last sign of life of a process, by name (`worker:events`, `beat`); times are the database's."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return self.name


class QueueItem(models.Model):
    """An item that waits for a worker, or that a worker holds: see `cdp.common.queue_items`. Rows go when done."""

    pk = models.CompositePrimaryKey("queue", "key")
    queue = models.CharField(max_length=40)
    key = models.BigIntegerField()
    since = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(db_default=0)  # failures since the last progress
    deaths = models.PositiveSmallIntegerField(db_default=0)  # holders lost since the last progress
    error = models.CharField(max_length=300, db_default="")  # what went wrong last, without personal data
    puts = models.IntegerField(db_default=1)  # tells a claim that the item was put in again meanwhile
    holder = models.IntegerField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["queue", "due_at"], name="queueitem_due_idx")]


class DeadLetter(models.Model):
    """An item that its queue gave up on, for a person to retry or to discard: see `cdp.common.dead_letters`."""

    queue = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    reason = models.CharField(max_length=40)  # a code; worded when shown
    parameters = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True)  # kind of error and place in the code: no personal data
    attempts = models.PositiveSmallIntegerField(default=1)
    first_tried_at = models.DateTimeField()
    last_tried_at = models.DateTimeField()
    payload = models.JSONField(default=dict)  # refers to what the item is about

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        default_permissions = ("view", "change")
        constraints = [models.UniqueConstraint(fields=["queue", "key"], name="deadletter_unique")]

    def __str__(self) -> str:
        return f"{self.queue} {self.key}"


class ProcessLease(models.Model):
    """Which process may do what only one may do at a time; `fence` rises with every change of holder."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=80)
    fence = models.BigIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class RetentionPeriod(models.Model):
    """How long a class of data is kept, as somebody set it; without a row the default of the class holds."""

    name = models.CharField(max_length=40, primary_key=True)  # of cdp.common.retention
    days = models.PositiveIntegerField(null=True)  # None: without end, where the class allows that
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=150)

    class Meta:
        verbose_name = _("retention period")
        verbose_name_plural = _("retention periods")
        default_permissions = ("change", "view")

    def __str__(self) -> str:
        return f"{self.name}: {self.days}"


class RetentionRun(models.Model):
    """What retention did to one class of data in one night, and how far it came."""

    name = models.CharField(max_length=40)
    night = models.DateField()
    before = models.DateTimeField()  # what is older was removed
    removed = models.BigIntegerField(default=0)
    position = models.JSONField(default=dict)  # where the next batch begins: a worker that was killed loses one batch
    batch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)  # failures since the last batch that went well
    problem = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    worked_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    waiting = models.BigIntegerField(default=0)  # rows past their time that are still there, as last counted
    oldest_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("retention run")
        verbose_name_plural = _("retention runs")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["name", "night"], name="retentionrun_unique")]

    def __str__(self) -> str:
        return f"{self.name} {self.night}"


class JournalEntry(models.Model):
    """An entry on its way into the journal outside the database (cdp.common.journal): digests, gone within seconds."""

    at = models.DateTimeField(db_default=Now())
    body = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


class Installation(models.Model):
    """One row: which database this was when it last looked, and how far it is (cdp.common.journal)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    identity = models.JSONField(default=dict)
    position = models.BigIntegerField(default=0)  # grows while mail is sent
    journal_generation = models.IntegerField(default=1)
    journal_offset = models.BigIntegerField(default=0)
    restored_at = models.DateTimeField(null=True)
    restored = models.JSONField(default=dict)  # what was found and done then

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.identity} at {self.position}"
