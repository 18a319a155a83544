"""What people are asked for, and the words they were shown."""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from consent.policy.canonical import text_digest


class Basis(models.TextChoices):
    """The ground of GDPR art. 6 that a purpose stands on."""

    CONSENT = "consent", _("Consent")
    SOFT_OPT_IN = "soft_opt_in", _("Soft opt-in (own customers, similar products)")
    CONTRACT = "contract", _("Contract")
    LEGITIMATE_INTEREST = "legitimate_interest", _("Legitimate interest")
    LEGAL_OBLIGATION = "legal_obligation", _("Legal obligation")


class Channel(models.TextChoices):
    """By what way a person is reached."""

    EMAIL = "email", _("E-mail")
    SMS = "sms", _("Text message")
    PHONE = "phone", _("Phone call")


def default_channels() -> list[str]:
    """Return the channels of a new purpose."""
    return [Channel.EMAIL.value]


class Purpose(models.Model):
    """What personal data is used for. One record of permission per purpose and channel, never a bundle."""

    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    channels = ArrayField(models.CharField(max_length=10, choices=Channel), default=default_channels)
    basis = models.CharField(_("legal basis"), max_length=20, choices=Basis, default=Basis.CONSENT)
    is_marketing = models.BooleanField(_("direct marketing"), default=True)
    retention_days = models.PositiveIntegerField(_("days a permission holds without contact"), null=True, blank=True)
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("purpose")
        verbose_name_plural = _("purposes")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(channels=[]), name="purpose_has_channel"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def channel_label(self) -> list[str]:
        """Return what its channels are called in the reader's language."""
        return [str(Channel(channel).label) for channel in self.channels]


class ConsentText(models.Model):
    """The exact words shown to people who were asked. A version never changes: a new wording is a new version."""

    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="texts")
    version = models.PositiveIntegerField(_("version"))
    language = models.CharField(_("language"), max_length=10, default="en")
    text = models.TextField(_("words shown"))
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")
        ordering = ["purpose", "-version", "language"]
        constraints = [
            models.UniqueConstraint(fields=["purpose", "version", "language"], name="consenttext_unique"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="consent_text_immutable",
                operation=pgtrigger.Update | pgtrigger.Delete,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} v{self.version} ({self.language})"

    def save(self, *args: object, **kwargs: object) -> None:
        """Seal the words by their digest, which the ledger covers."""
        self.digest = text_digest(self.text)
        super().save(*args, **kwargs)  # type: ignore[arg-type]  # passed through as they came
