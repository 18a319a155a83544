"""What people are asked for, and the words they were shown."""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from consent.policy.canonical import text_digest
from consent.policy.terms import FIELDS, Terms


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


class PurposeTerms(models.Model):
    """What a purpose lays down: the fields of the purpose as it stands, and of each of its versions."""

    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    channels = ArrayField(models.CharField(max_length=10, choices=Channel), default=list)
    basis = models.CharField(_("legal basis"), max_length=20, choices=Basis, default=Basis.CONSENT)
    is_marketing = models.BooleanField(_("direct marketing"), default=True)
    #: a permission counts only when Klantbeeld itself saw the person give it; a token's or a file's word is not enough
    requires_seen_proof = models.BooleanField(_("only permissions that we saw ourselves"), default=False)
    requires_confirmed = models.BooleanField(_("only addresses that the person answered at"), default=False)
    #: the facts of consent.policy.soft_opt_in.SoftOptIn, for a purpose that rests on them
    soft_opt_in = models.JSONField(_("soft opt-in"), default=dict, blank=True, editable=False)
    retention_days = models.PositiveIntegerField(_("days a permission holds without contact"), null=True, blank=True)
    active = models.BooleanField(_("active"), default=True)
    #: the latest version of the words when this was laid down; 0 when there were none
    text_version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True

    @property
    def terms(self) -> Terms:
        """Return what a decision asks of these terms, saved or not."""
        return Terms(
            version_id=self.terms_version_id,
            active=self.active,
            channels=tuple(self.channels),
            basis=self.basis,
            is_marketing=self.is_marketing,
            requires_seen_proof=self.requires_seen_proof,
            requires_confirmed=self.requires_confirmed,
        )

    @property
    def terms_version_id(self) -> int | None:
        """Return the id of the version that lays these terms down."""
        raise NotImplementedError

    def term_values(self) -> dict[str, Any]:
        """Return every field of the terms as plain values."""
        return {name: getattr(self, name) for name in FIELDS}

    @property
    def channel_label(self) -> list[str]:
        """Return what its channels are called in the reader's language."""
        return [str(Channel(channel).label) for channel in self.channels]


class Purpose(PurposeTerms):
    """What personal data is used for. One record of permission per purpose and channel, never a bundle.

    Its terms repeat those of its current version, so that a query needs no join; verification compares the two.
    """

    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    current = models.ForeignKey(
        "consent.PurposeVersion", null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("purpose")
        verbose_name_plural = _("purposes")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(channels=[]), name="purpose_has_channel"),
            models.CheckConstraint(
                condition=~models.Q(basis__in=["contract", "legal_obligation"], is_marketing=True),
                name="purpose_contract_is_no_marketing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def terms_version_id(self) -> int | None:
        """Return the id of the version in force; None before the first is saved."""
        return self.current_id


class PurposeVersion(PurposeTerms):
    """The terms of a purpose from a moment on, who laid them down, and what that did to people. Never changes."""

    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField(_("version"))
    #: people who could be reached by channel, as shown before it was saved: {channel: {before, after, gained, lost}}
    effect = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, editable=False)  # of consent.policy.terms.terms_digest
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = _("version of a purpose")
        verbose_name_plural = _("versions of purposes")
        default_permissions = ("view",)
        ordering = ["purpose", "-version"]
        constraints = [models.UniqueConstraint(fields=["purpose", "version"], name="purposeversion_unique")]
        triggers = [
            pgtrigger.Protect(name="purpose_version_immutable", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def terms_version_id(self) -> int | None:
        """Return the id of this version."""
        return self.pk


class SaleScan(models.Model):
    """How far the sales of the past were gone through for a purpose that rests on soft opt-in."""

    purpose = models.OneToOneField(Purpose, primary_key=True, on_delete=models.CASCADE, related_name="sale_scan")
    person = models.BigIntegerField(default=0)  # the last whose sales were looked at
    recorded = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()


class ExpiryForecast(models.Model):
    """How many permissions of a purpose end soon without contact, as the last nightly run counted them."""

    purpose = models.OneToOneField(Purpose, primary_key=True, on_delete=models.CASCADE, related_name="expiry_forecast")
    ending_soon = models.BigIntegerField()
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()


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
