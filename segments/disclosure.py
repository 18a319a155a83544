"""What a rule tells a reader who may not see people: its values are masked, and it may not be used to ask for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.masking import Reader
from segments.rules.nodes import All, AnyOf, Event, Node, Not, Rule, Trait, Value, walk_rule

#: comparisons that ask for no value
_PRESENCE = frozenset({"exists", "missing"})
#: comparisons whose answer about a number or a yes or no tells no more than the value that is shown
_FIGURES = frozenset({"is", "is_not", "one_of", "gt", "gte", "lt", "lte", "between", "has"})


def shown_rule(rule: Rule, reader: Reader) -> Rule:
    """Return the rule as this reader may read it."""
    if reader.sees_people:
        return rule
    exclude = None if rule.exclude is None else shown_node(rule.exclude, reader)
    return Rule(shown_node(rule.include, reader), exclude)


def shown_node(node: Node, reader: Reader) -> Node:
    """Return a node, with those below, as this reader may read it."""
    if reader.sees_people:
        return node
    if isinstance(node, All | AnyOf):
        return replace(node, children=tuple(shown_node(child, reader) for child in node.children))
    if isinstance(node, Not):
        return Not(shown_node(node.child, reader))
    if isinstance(node, Trait):
        return _shown_trait(node, reader, "")
    if isinstance(node, Event):
        where = tuple(_shown_trait(item, reader, node.name) for item in node.where)
        return replace(node, name=reader.event(node.name), where=where)
    return node


def _shown_trait(node: Trait, reader: Reader, event: str) -> Trait:
    value: Value
    if isinstance(node.value, tuple):
        value = tuple(_shown_value(node.key, item, reader, event) for item in node.value)
    else:
        value = None if node.value is None else _shown_value(node.key, node.value, reader, event)
    return Trait(reader.key(node.key), node.operator, value)


def _shown_value(key: str, value: Any, reader: Reader, event: str) -> Any:
    return reader.property(event, key, value)


def shown_json(data: Any, reader: Reader, event: str = "") -> Any:
    """Return a rule as it is stored, as this reader may read it."""
    if reader.sees_people:
        return data
    if isinstance(data, list):
        return [shown_json(item, reader, event) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("type") == "event":
        event = str(data.get("name", ""))
    known = {name: shown_json(item, reader, event) for name, item in data.items()}
    if "operator" in data and "key" in data:
        key, value = str(data["key"]), data.get("value")
        known["key"] = reader.key(key)
        if value is not None:
            values = [reader.property(event, key, item) for item in (value if isinstance(value, list) else [value])]
            known["value"] = values if isinstance(value, list) else values[0]
    if data.get("type") == "event":
        known["name"] = reader.event(event)
    return known


def refuse_hidden_values(rule: Rule, reader: Reader) -> None:
    """Raise CdpError `segment.hidden_values` when a rule asks for what is masked: its count would tell it."""
    if reader.sees_people:
        return
    for path, node in walk_rule(rule):
        asked = [("", node)] if isinstance(node, Trait) else []
        if isinstance(node, Event):
            asked = [(node.name, item) for item in node.where]
            if not reader.shows_event(node.name):
                raise _hidden(path)
        if any(not _may_ask(item, reader, event) for event, item in asked):
            raise _hidden(path)


def _may_ask(node: Trait, reader: Reader, event: str) -> bool:
    if reader.key(node.key) != node.key:
        return False
    if node.operator in _PRESENCE or node.key in reader.open_paths(event):
        return True
    values = node.value if isinstance(node.value, tuple) else (node.value,)
    return node.operator in _FIGURES and all(
        isinstance(value, int | float) and _shown_value(node.key, value, reader, event) == value for value in values
    )


def _hidden(path: str) -> CdpError:
    return CdpError(
        "segment.hidden_values",
        _(
            "You may not see who people are, so a rule of yours may ask only for what you are shown: figures, "
            "yes and no, and what the catalogue marks as not personal."
        ),
        place=path,
        status=403,
    )
