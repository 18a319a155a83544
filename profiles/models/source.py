"""Where data comes from."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SourceKind(models.TextChoices):
    """What a source's key may be trusted with."""

    BROWSER = "browser", _("Website or app (public key)")
    SERVER = "server", _("Server (secret key)")
    IMPORT = "import", _("File import")
    MANUAL = "manual", _("Entered by hand")
    SYSTEM = "system", _("Klantbeeld itself")


class Source(models.Model):
    """A place that sends data. Browser keys are public and kept readable; server keys are kept as a digest only."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("short name"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=SourceKind)
    public_key = models.CharField(max_length=64, blank=True, editable=False)  # browser keys only
    key_digest = models.CharField(max_length=64, blank=True, editable=False)  # sha256 hex of the write key
    key_hint = models.CharField(max_length=8, blank=True, editable=False)
    #: the key before the last change; it is still accepted until the given time
    previous_key_digest = models.CharField(max_length=64, blank=True, editable=False)
    previous_key_until = models.DateTimeField(null=True, blank=True, editable=False)
    enabled = models.BooleanField(_("enabled"), default=True)
    allowed_origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    warning = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        constraints = [
            models.UniqueConstraint(
                fields=["key_digest"], condition=~models.Q(key_digest=""), name="source_key_digest_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="browser") | models.Q(public_key=""), name="source_only_browser_keys_readable"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def trusted(self) -> bool:
        """Tell whether what this source says of identity and permission may be believed."""
        return self.kind != SourceKind.BROWSER
