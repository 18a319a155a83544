"""Purposes and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from consent.models import Basis, Channel, ConsentText, Purpose
from consent.services.entries import actor_label

EDITABLE = frozenset({"name", "description", "channels", "basis", "is_marketing", "retention_days", "active"})


@transaction.atomic
def create_purpose(
    *,
    name: str,
    slug: str = "",
    description: str = "",
    channels: Sequence[str] = (Channel.EMAIL,),
    basis: str = Basis.CONSENT,
    is_marketing: bool = True,
    retention_days: int | None = None,
) -> Purpose:
    """Define a purpose; its short name never changes afterwards."""
    short = slug or slugify(name)[:60]
    if not name.strip() or not short:
        raise CdpError("consent.no_name", _("Give the purpose a name."), place="name")
    _check(channels, basis)
    if Purpose.objects.filter(slug=short).exists():
        raise CdpError("consent.name_taken", _("There is a purpose with this short name."), place="slug", status=409)
    return Purpose.objects.create(
        slug=short,
        name=name.strip(),
        description=description,
        channels=list(channels),
        basis=basis,
        is_marketing=is_marketing,
        retention_days=retention_days,
    )


@transaction.atomic
def update_purpose(*, purpose_id: int, changes: Mapping[str, Any]) -> Purpose:
    """Change a purpose. What people were shown is in its texts, which do not change."""
    purpose = Purpose.objects.select_for_update().filter(pk=purpose_id).first()
    if purpose is None:
        raise CdpError("consent.unknown_purpose", _("There is no such purpose."), status=404)
    unknown = set(changes) - EDITABLE
    if unknown:
        raise CdpError("consent.not_editable", _("This cannot be changed."), place=", ".join(sorted(unknown)))
    for key, value in changes.items():
        setattr(purpose, key, value)
    _check(purpose.channels, purpose.basis)
    purpose.save(update_fields=sorted(changes))
    return purpose


@transaction.atomic
def add_text(
    *, purpose_id: int, text: str, actor: Any, language: str = "en", version: int | None = None
) -> ConsentText:
    """Add a new version of the words; give `version` to add a translation of an existing one."""
    words = text.strip()
    if not words:
        raise CdpError("consent.no_words", _("Write the words that people see."), place="text")
    purpose = Purpose.objects.select_for_update().filter(pk=purpose_id).first()
    if purpose is None:
        raise CdpError("consent.unknown_purpose", _("There is no such purpose."), status=404)
    texts = ConsentText.objects.filter(purpose=purpose)
    last = texts.aggregate(last=Max("version"))["last"] or 0
    number = version or last + 1
    if not 1 <= number <= last + 1:
        raise CdpError("consent.no_such_version", _("There is no such version."), place="version")
    if texts.filter(version=number, language=language).exists():
        raise CdpError(
            "consent.version_taken", _("A version does not change: add a new one."), place="version", status=409
        )
    return ConsentText.objects.create(
        purpose=purpose, version=number, language=language, text=words, created_by=actor_label(actor)
    )


def current_text(purpose: Purpose, language: str) -> ConsentText | None:
    """Return the latest words in a language, or in any if there are none in that one."""
    texts = list(ConsentText.objects.filter(purpose=purpose).order_by("-version"))
    return next((text for text in texts if text.language == language[:2]), texts[0] if texts else None)


def _check(channels: Sequence[str], basis: str) -> None:
    if not channels or any(channel not in Channel.values for channel in channels):
        raise CdpError("consent.wrong_channel", _("Choose at least one channel."), place="channels")
    if basis not in Basis.values:
        raise CdpError("consent.wrong_basis", _("Choose a legal basis."), place="basis")
