"""What is said: a message and its versions."""

from __future__ import annotations

import uuid

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.querysets.messages import MessageManager


class BodyFormat(models.TextChoices):
    """How the body is written."""

    LETTER = "letter", _("Letter (Markdown in our layout)")
    MJML = "mjml", _("Your own design (MJML)")


class Message(models.Model):
    """A mail that can be sent, under a name that colleagues know it by."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    current_version = models.ForeignKey("MessageVersion", null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    #: since when programs may send it, one person at a time; null: they may not
    single_sends_since = models.DateTimeField(null=True, editable=False)
    single_sends_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    objects = MessageManager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [models.Index(fields=["-changed_at", "-id"], name="message_changed_idx")]

    def __str__(self) -> str:
        return self.name


class MessageVersion(models.Model):
    """A message as it stood at one moment. Never changed: what was sent can be shown again exactly.

    The compiled parts are kept, so that a later release with another layout still shows the mail that went out.
    """

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    subject = models.CharField(_("subject"), max_length=250)
    preheader = models.CharField(_("preview line"), max_length=250, blank=True)
    body = models.TextField(_("body"))
    format = models.CharField(_("format"), max_length=10, choices=BodyFormat, default=BodyFormat.LETTER)
    from_name = models.CharField(_("sender name"), max_length=100)
    from_email = models.CharField(_("sender address"), max_length=254)
    reply_to = models.CharField(_("reply to"), max_length=254, blank=True)
    #: traits without which a person is left out (skipped: missing_field)
    required_traits = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    compiled_html = models.TextField(editable=False)
    compiled_text = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("message version")
        verbose_name_plural = _("message versions")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["message", "number"], name="messageversion_unique")]
        triggers = [
            pgtrigger.Protect(name="messageversion_immutable", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.message} v{self.number}"
