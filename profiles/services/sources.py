"""Make and change sources. Every change is told to the collectors, which keep the sources in memory."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from profiles.collector.book import CHANNEL
from profiles.collector.keys import BROWSER_PREFIX, SERVER_PREFIX, digest_of
from profiles.models import Source
from profiles.models.source import SourceKind

#: kinds that people make; the others are there from the start
KEYED_KINDS = (SourceKind.BROWSER, SourceKind.SERVER)
MAX_OVERLAP_HOURS = 24 * 30
MAX_ORIGINS = 50
MAX_NAME = 100
_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?")


def _tell_collectors() -> None:
    """Have every collector read the sources again, once the change has committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def _new_key(kind: str) -> str:
    prefix = BROWSER_PREFIX if kind == SourceKind.BROWSER else SERVER_PREFIX
    return prefix + secrets.token_urlsafe(32).replace("-", "x").replace("_", "y")


def _set_key(source: Source, key: str) -> None:
    source.key_digest = digest_of(key)
    source.key_hint = key[-4:]
    source.public_key = key if source.kind == SourceKind.BROWSER else ""


def checked_origins(origins: list[str]) -> list[str]:
    """Return the origins in one form, each once; raise CdpError naming the one that is none."""
    cleaned: list[str] = []
    for number, raw in enumerate(origins, start=1):
        text = raw.strip().lower().rstrip("/")
        if not text:
            continue
        if not _ORIGIN.fullmatch(text) or not urlsplit(text).hostname:
            raise CdpError(
                "source.origin_invalid",
                _("“%(origin)s” is not an origin. Write it as https://www.example.org, without a path.")
                % {"origin": raw.strip()[:80]},
                place=_("line %(number)s") % {"number": number},
            )
        if text not in cleaned:
            cleaned.append(text)
    if len(cleaned) > MAX_ORIGINS:
        raise CdpError(
            "source.too_many_origins",
            _("At most %(limit)s origins can be listed; https://*.example.org covers all of a domain.")
            % {"limit": MAX_ORIGINS},
        )
    return cleaned


def _checked_name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > MAX_NAME:
        raise CdpError(
            "source.name_invalid",
            _("A source needs a name of at most %(limit)s characters.") % {"limit": MAX_NAME},
            place="name",
        )
    return name


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "source"
    taken = set(Source.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    number, slug = 1, base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def _locked(source_id: int) -> Source:
    source = Source.objects.select_for_update().filter(pk=source_id).first()
    if source is None:
        raise CdpError("source.unknown", _("This source does not exist."), status=404)
    if source.kind not in KEYED_KINDS:
        raise CdpError(
            "source.built_in",
            _("This source belongs to Klantbeeld itself and has no key."),
            status=409,
        )
    return source


@transaction.atomic
def create_source(
    *,
    name: str,
    kind: str,
    actor: Any = None,
    allowed_origins: list[str] | None = None,
    slug: str = "",
    key: str | None = None,
) -> tuple[Source, str]:
    """Create a website or server source; return it with its write key, which for a server cannot be shown again."""
    if kind not in KEYED_KINDS:
        raise CdpError("source.kind_invalid", _("A source is a website or a server."), place="kind")
    name = _checked_name(name)
    source = Source(name=name, slug=slug or _free_slug(name), kind=kind)
    source.allowed_origins = checked_origins(allowed_origins or [])
    key = key or _new_key(kind)
    _set_key(source, key)
    source.save()
    record_access(
        actor=actor,
        action="source.created",
        object_kind="source",
        object_id=source.slug,
        detail={"name": source.name, "kind": source.kind, "allowed_origins": source.allowed_origins},
    )
    _tell_collectors()
    return source, key


@transaction.atomic
def rotate_key(*, source_id: int, overlap_hours: int = 24, actor: Any = None) -> tuple[Source, str]:
    """Issue a new key; the old one keeps working for `overlap_hours` (0: it stops now), so that nothing is lost."""
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise CdpError(
            "source.overlap_invalid",
            _("The old key can keep working for 0 to %(limit)s hours.") % {"limit": MAX_OVERLAP_HOURS},
            place="overlap_hours",
        )
    source = _locked(source_id)
    source.previous_key_digest = source.key_digest if overlap_hours else ""
    source.previous_key_until = timezone.now() + timedelta(hours=overlap_hours) if overlap_hours else None
    source.warning = ""
    key = _new_key(source.kind)
    _set_key(source, key)
    source.save()
    record_access(
        actor=actor,
        action="source.key_rotated",
        object_kind="source",
        object_id=source.slug,
        detail={"overlap_hours": overlap_hours},
    )
    _tell_collectors()
    return source, key


@transaction.atomic
def set_enabled(*, source_id: int, enabled: bool, actor: Any = None) -> Source:
    """Switch a source on or off. Off: its senders are answered 403, and what it sent before stays."""
    source = _locked(source_id)
    source.enabled = enabled
    source.save(update_fields=["enabled"])
    record_access(
        actor=actor,
        action="source.enabled" if enabled else "source.disabled",
        object_kind="source",
        object_id=source.slug,
    )
    _tell_collectors()
    return source


@transaction.atomic
def update_source(*, source_id: int, name: str, allowed_origins: list[str], actor: Any = None) -> Source:
    """Change a source's name and the origins that may use its key."""
    source = _locked(source_id)
    before = {"name": source.name, "allowed_origins": source.allowed_origins}
    source.name = _checked_name(name)
    source.allowed_origins = checked_origins(allowed_origins)
    source.save(update_fields=["name", "allowed_origins"])
    record_access(
        actor=actor,
        action="source.changed",
        object_kind="source",
        object_id=source.slug,
        detail={"before": before, "after": {"name": source.name, "allowed_origins": source.allowed_origins}},
    )
    _tell_collectors()
    return source
