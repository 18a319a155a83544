"""Rules as programs write them: a condition on membership names the other segment by its public id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from segments.models import Segment

#: no row has it: the check of rules says at which node the segment is missing
NOBODY = 0


def rule_from_api(rule: Any) -> Any:
    """Return a rule as it is stored; `segment_id` becomes the number of the row."""
    if not isinstance(rule, Mapping):
        return rule
    wanted = {node.get("segment_id") for node in _members(rule)}
    slugs = [slug for slug in wanted if isinstance(slug, str) and "\x00" not in slug]
    numbers = dict(Segment.objects.filter(slug__in=slugs).values_list("slug", "pk"))

    def stored(node: Mapping[str, Any]) -> dict[str, Any]:
        slug = node.get("segment_id")
        known = numbers.get(slug, NOBODY) if isinstance(slug, str) else NOBODY
        return {**{key: value for key, value in node.items() if key != "segment_id"}, "segment": known}

    return _changed(rule, stored)


def rule_to_api(rule: Any) -> Any:
    """Return a stored rule as programs read it; `segment_id` is null for a segment that is gone."""
    if not isinstance(rule, Mapping):
        return rule
    named = [node.get("segment") for node in _members(rule)]
    numbers = [number for number in named if isinstance(number, int)]
    slugs = dict(Segment.objects.filter(pk__in=numbers).values_list("pk", "slug")) if numbers else {}

    def shown(node: Mapping[str, Any]) -> dict[str, Any]:
        plain = {key: value for key, value in node.items() if key != "segment"}
        return {**plain, "segment_id": slugs.get(node.get("segment") or NOBODY)}

    return _changed(rule, shown)


def _members(rule: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the conditions on membership; without recursion, as the depth of a rule is not checked yet."""
    left = [rule]
    while left:
        item = left.pop()
        if isinstance(item, Mapping):
            if item.get("type") == "member":
                yield item
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)


def _changed(value: Any, change: Any) -> Any:
    # The parser bounds the depth of JSON (cdp.common.api.MAX_DEPTH), and stored rules are shallower.
    if isinstance(value, Mapping):
        found = change(value) if value.get("type") == "member" else value
        return {key: _changed(item, change) for key, item in found.items()}
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    return value
