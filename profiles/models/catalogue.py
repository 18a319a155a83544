"""What traits, events and properties exist."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.utils.translation import gettext_lazy as _

from profiles.querysets.catalogue import CatalogueManager


class CatalogueScope(models.TextChoices):
    """What an entry is about."""

    TRAIT = "trait", _("trait")
    EVENT = "event", _("event")
    PROPERTY = "property", _("property")


class PiiClass(models.TextChoices):
    """Whether values (of an event: its name) tell who somebody is; see cdp.common.masking."""

    UNDECIDED = "", _("not decided: masked like personal data")
    OPEN = "open", _("not personal: everybody may read it")
    PERSONAL = "personal", _("personal")


class CatalogueEntry(models.Model):
    """A trait, an event, or a property of an event: its types, its frequent values, and for whom it is known.

    Kept by whoever writes values (`profiles.catalogue.store`), so that it forgets nothing that a sample would miss.
    """

    uuid = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), unique=True, editable=False)
    scope = models.CharField(max_length=8, choices=CatalogueScope)
    event = models.CharField(max_length=200, blank=True)  # of events and properties
    path = models.CharField(max_length=200, blank=True)  # of traits and properties: city, home.city, lines[].sku
    types = models.JSONField(default=dict)  # {type of `profiles.catalogue.types`: values seen}
    count = models.BigIntegerField(default=0)  # values seen; of an event, how often it was done
    people = models.BigIntegerField(default=0)  # of a trait: people who have it now; recounted every night
    top_values = models.JSONField(default=dict)  # {value: times seen}, the most frequent
    source_ids = ArrayField(models.BigIntegerField(), default=list)
    first_seen_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    description = models.CharField(_("description"), max_length=500, blank=True)
    pii = models.CharField(_("personal data"), max_length=8, choices=PiiClass, default=PiiClass.UNDECIDED, blank=True)
    declared_at = models.DateTimeField(null=True)  # a person announced it before, or besides, any value

    objects = CatalogueManager()

    class Meta:
        verbose_name = _("catalogue entry")
        verbose_name_plural = _("catalogue")
        constraints = [models.UniqueConstraint(fields=["scope", "event", "path"], name="catalogueentry_unique")]

    def __str__(self) -> str:
        return f"{self.event}: {self.path}" if self.event and self.path else self.event or self.path
