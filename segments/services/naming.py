"""Names of segments and their addresses."""

from __future__ import annotations

from django.utils.text import slugify
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from segments.models import Segment

MAX_NAME = 100


def clean_name(name: str) -> str:
    """Return the name of a segment as it is stored; raise CdpError when it is empty or too long."""
    text = " ".join(str(name).replace("\x00", "").split())
    if not text:
        raise CdpError("segment.name_missing", _("Give the segment a name."), place="name")
    if len(text) > MAX_NAME:
        message = _("A name has up to %(limit)s characters.") % {"limit": MAX_NAME}
        raise CdpError("segment.name_too_long", message, place="name")
    return text


def name_taken(name: str) -> CdpError:
    """Return the refusal of a name that another segment has."""
    message = _("There is a segment named “%(name)s” already.") % {"name": name}
    return CdpError("segment.name_taken", message, place="name", status=409)


def free_slug(name: str) -> str:
    """Return an address for a new segment."""
    base = slugify(name)[:100] or "segment"
    if base == "new":
        base = "segment-new"
    taken = set(Segment.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 100_000))) if slug not in taken)
