"""Saved rules may name a person: "email is anna@…". The value is taken out, so that the rule matches nobody by it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pgtrigger
from django.db import connection
from django.utils.translation import gettext_noop as _

from cdp.common.reasons import ReasonTable, ReasonText
from profiles.identity.normalise import normalise
from profiles.identity.whole_words import redacted
from profiles.models import Identifier
from segments.models import SegmentVersion

Pair = tuple[str, str]

#: what stands in a rule in the place of a value that named an erased person; no value of anybody is written so
ERASED_VALUE = "(erased)"
#: identifiers of these kinds are nothing else, whatever trait they are compared to
_UNMISTAKABLE = frozenset({"email", "phone", "anonymous_id"})

NOTES = ReasonTable(
    "segment_note",
    {
        "value_taken_out": ReasonText(
            _("A rule named the person"),
            _("The rule of segment %(segment)s, version %(version)s, named the person. The value was taken out."),
        ),
    },
)

_NAMING = """
SELECT id FROM segments_segmentversion v WHERE EXISTS (
    SELECT 1 FROM unnest(%s::text[]) value WHERE strpos(lower(v.rule::text), value) > 0) ORDER BY id
"""


def take_out_of_rules(profile_id: int) -> list[tuple[str, dict[str, Any]]]:
    """Take a person's identifiers out of all saved rules; return which rules named them."""
    pairs = set(Identifier.objects.filter(profile_id=profile_id).values_list("kind", "value"))
    changed: list[tuple[str, dict[str, Any]]] = []
    for version in _naming(pairs):
        rule = without_person(version.rule, pairs)
        if rule == version.rule:
            continue
        with pgtrigger.ignore("segments.SegmentVersion:segment_version_read_only"):
            SegmentVersion.objects.filter(pk=version.pk).update(
                rule=rule, sentence=redacted(version.sentence, [value for _kind, value in pairs], ERASED_VALUE)
            )
        number = {"segment": version.segment_id, "version": version.number}
        changed.append(("segment_note.value_taken_out", number))
    return changed


def _naming(pairs: Collection[Pair]) -> list[SegmentVersion]:
    with connection.cursor() as cursor:
        cursor.execute(_NAMING, [[value.lower() for _kind, value in pairs]])
        ids = [row[0] for row in cursor.fetchall()]
    return list(SegmentVersion.objects.filter(pk__in=ids).order_by("pk"))


def without_person(rule: Any, pairs: Collection[Pair]) -> Any:
    """Return a rule (as JSON) in which no comparison has a value that is one of these identifiers."""
    if isinstance(rule, list):
        return [without_person(item, pairs) for item in rule]
    if not isinstance(rule, dict):
        return rule
    key = str(rule.get("key", ""))
    return {
        name: _value(item, key, pairs) if name == "value" else without_person(item, pairs)
        for name, item in rule.items()
    }


def _value(value: Any, key: str, pairs: Collection[Pair]) -> Any:
    if isinstance(value, list):
        return [_value(item, key, pairs) for item in value]
    names = any(
        (kind in _UNMISTAKABLE or kind == key) and normalise(kind, value) == identifier for kind, identifier in pairs
    )
    return ERASED_VALUE if names else value
