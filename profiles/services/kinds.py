"""Kinds of identifier: their name, how many a person may have, and which values stand for nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from profiles.identity.normalise import normalise
from profiles.models import Identifier, IdentifierKind

MAX_LABEL = 60
MAX_LIMIT = 1000
MAX_BLOCKED = 500


@transaction.atomic
def update_kind(*, name: str, label: str, limit: int, blocked_values: Sequence[str], actor: Any) -> IdentifierKind:
    """Change a kind from the next message and import on; what people hold already stays with them."""
    kind = IdentifierKind.objects.select_for_update().filter(pk=name).first()
    if kind is None:
        raise CdpError("kind.unknown", _("There is no such kind of identifier."), status=404)
    if not label.strip() or len(label) > MAX_LABEL:
        message = _("Give a label of up to %(limit)s characters.") % {"limit": MAX_LABEL}
        raise CdpError("kind.label_invalid", message, place="label")
    if not 1 <= limit <= MAX_LIMIT:
        message = _("A person may have 1 to %(limit)s of a kind.") % {"limit": MAX_LIMIT}
        raise CdpError("kind.limit_invalid", message, place="limit")
    blocked = _blocked(name, blocked_values)
    before = {"label": kind.label, "limit": kind.limit, "blocked": len(kind.blocked_values)}
    kind.label, kind.limit, kind.blocked_values = label.strip(), limit, blocked
    kind.save(update_fields=["label", "limit", "blocked_values"])
    after = {"label": kind.label, "limit": kind.limit, "blocked": len(blocked)}
    changed = {key: [before[key], after[key]] for key in before if before[key] != after[key]}
    record_access(actor=actor, action="kind.changed", object_kind="identifierkind", object_id=name, detail=changed)
    return kind


def _blocked(name: str, values: Sequence[str]) -> list[str]:
    """Return the values as they are compared with; refuse one that could never be met."""
    found: dict[str, None] = {}
    for value in values:
        text = normalise(name, value)
        if not text or len(text) > 200:
            message = _("“%(value)s” is no value of this kind.") % {"value": value[:60]}
            raise CdpError("kind.value_invalid", message, place="blocked_values")
        found[text] = None
    if len(found) > MAX_BLOCKED:
        message = _("At most %(limit)s values can be blocked.") % {"limit": MAX_BLOCKED}
        raise CdpError("kind.too_many_blocked", message, place="blocked_values")
    return list(found)


def holders_of_blocked(kind: IdentifierKind) -> int:
    """Return how many people hold a blocked value from before it was blocked."""
    return Identifier.objects.filter(kind=kind.name, value__in=kind.blocked_values).count()
