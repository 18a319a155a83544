"""The builder's form as rule JSON: read from its fields, changed by its buttons.

A field is named `n:<path>:<name>`, where the path is that of the node in the rule. Nothing is kept on the server: each
request carries the whole form. A draft may be faulty; `segments.rules` finds the faults and names their paths.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from profiles.catalogue.types import NUMBER, YES_NO
from segments.rules.errors import Problem
from segments.rules.operators import OPERATORS

_FIELD = re.compile(r"^n:((?:include|exclude)(?:\.\d{1,3}){0,14}):([a-z_]+(?:\.\d{1,2}\.[a-z]+)?)$")
GROUPS = ("all", "any", "none")
LEAVES = ("trait", "event", "seen", "member", "consent", "identifier", "everyone")
MAX_FIELDS = 3000

Json = dict[str, Any]
#: (event name or empty for traits, key) -> type most often seen, empty when unknown
TypeOf = Callable[[str, str], str]


def empty_leaf(kind: str) -> Json:
    """Return a new condition with nothing chosen yet."""
    leaves: dict[str, Json] = {
        "trait": {"type": "trait", "key": "", "operator": "is", "value": ""},
        "event": {
            "type": "event",
            "name": "",
            "count": "at_least",
            "times": 1,
            "window": {"kind": "ever"},
            "where": [],
        },
        "seen": {"type": "seen", "which": "last", "operator": "within", "days": 30},
        "member": {"type": "member", "segment": None},
        "consent": {"type": "consent", "purpose": "", "channel": "email", "state": "given"},
        "identifier": {"type": "identifier", "kind": "email"},
        "everyone": {"type": "everyone"},
    }
    return leaves[kind]


def new_rule() -> Json:
    """Return what a new segment begins with."""
    return {"include": {"type": "all", "children": [empty_leaf("trait")]}, "exclude": None}


def for_form(rule: Any) -> Json:
    """Return a stored rule in the shape that the form draws: groups at the top, NOT as a group of which none holds."""
    rule = rule if isinstance(rule, dict) else {}
    include = _normal(rule.get("include") or {"type": "all", "children": []})
    exclude = _normal(rule["exclude"]) if rule.get("exclude") else None
    if include.get("type") not in ("all", "any", "not"):
        include = {"type": "all", "children": [include]}
    if exclude is not None and exclude.get("type") not in ("all", "any", "not"):
        exclude = {"type": "any", "children": [exclude]}
    return {"include": include, "exclude": exclude}


def _normal(node: Any) -> Json:
    if not isinstance(node, dict):
        return {"type": "all", "children": []}
    if node.get("type") in ("all", "any"):
        children = node.get("children")
        return {"type": node["type"], "children": [_normal(child) for child in children or []]}
    if node.get("type") == "not":
        child = _normal(node.get("child"))
        if child.get("type") != "any":
            child = {"type": "any", "children": [child]}
        return {"type": "not", "child": child}
    return dict(node)


def read(post: Mapping[str, str], type_of: TypeOf) -> Json:
    """Return the rule that stands in the form."""
    nodes: dict[str, dict[str, str]] = {}
    for count, (name, value) in enumerate(post.items()):
        match = _FIELD.match(name)
        if match and count < MAX_FIELDS:
            nodes.setdefault(match[1], {})[match[2]] = str(value).replace("\x00", "")
    include = _read(nodes, "include", type_of) if "include" in nodes else new_rule()["include"]
    return {"include": include, "exclude": _read(nodes, "exclude", type_of) if "exclude" in nodes else None}


def _read(nodes: Mapping[str, dict[str, str]], path: str, type_of: TypeOf) -> Json:
    fields = nodes[path]
    kind = fields.get("type", "")
    if kind not in GROUPS:
        return _leaf(kind, fields, type_of)
    # The children of a NONE group hang one deeper, below an unseen ANY; they may have been drawn as one or the other.
    deeper = f"{path}.0" not in nodes and any(name.startswith(f"{path}.0.") for name in nodes)
    base = f"{path}.0" if deeper else path
    pattern = re.compile(re.escape(base) + r"\.(\d+)$")
    places = sorted(int(match[1]) for name in nodes if (match := pattern.match(name)))
    children = [_read(nodes, f"{base}.{place}", type_of) for place in places]
    if kind == "none":
        return {"type": "not", "child": {"type": "any", "children": children}}
    return {"type": kind, "children": children}


def _leaf(kind: str, fields: Mapping[str, str], type_of: TypeOf) -> Json:
    get = fields.get
    if kind == "trait":
        return {"type": "trait", **_comparison(fields, "", "", type_of)}
    if kind == "event":
        return _event(fields, type_of)
    if kind == "seen":
        return {
            "type": "seen",
            "which": get("which", "last"),
            "operator": get("operator", "within"),
            "days": number(get("days", "30")),
        }
    if kind == "member":
        return {"type": "member", "segment": number(get("segment", "")) or None}
    if kind == "consent":
        return {
            "type": "consent",
            "purpose": get("purpose", ""),
            "channel": get("channel", "email"),
            "state": get("state", "given"),
        }
    if kind == "identifier":
        return {"type": "identifier", "kind": get("kind", "")}
    return {"type": "everyone"} if kind == "everyone" else {"type": kind}


def _event(fields: Mapping[str, str], type_of: TypeOf) -> Json:
    name = fields.get("name", "").strip()
    node: Json = {"type": "event", "name": name, "count": fields.get("count", "at_least")}
    if node["count"] != "never":
        node["times"] = number(fields.get("times", "1"))
    kind = fields.get("window", "ever")
    node["window"] = {"kind": kind}
    if kind == "last":
        node["window"]["days"] = number(fields.get("days", "30"))
    elif kind == "between":
        node["window"] |= {"from": fields.get("from", ""), "to": fields.get("to", "")}
    places = sorted({int(key.split(".")[1]) for key in fields if key.startswith("where.")})
    node["where"] = [_comparison(fields, f"where.{place}.", name, type_of) for place in places]
    return node


def _comparison(fields: Mapping[str, str], prefix: str, event: str, type_of: TypeOf) -> Json:
    key = fields.get(f"{prefix}key", "").strip()
    operator = fields.get(f"{prefix}operator", "is")
    node: Json = {"key": key, "operator": operator}
    takes = OPERATORS[operator].takes if operator in OPERATORS else "scalar"
    text = fields.get(f"{prefix}value", "")
    if takes == "two_numbers":
        node["value"] = [number(text), number(fields.get(f"{prefix}second", ""))]
    elif takes in ("number", "days"):
        node["value"] = number(text)
    elif takes == "scalar":
        node["value"] = typed(text.strip(), type_of(event, key))
    elif takes == "scalars":
        node["value"] = [typed(item, type_of(event, key)) for item in split(text)]
    elif takes != "nothing":
        node["value"] = text.strip()
    return node


def number(text: str) -> Any:
    """Return a number where the text is one, else the text: the parser then says what is wrong."""
    text = text.strip().replace(",", ".", 1)
    for make in (int, float):
        try:
            return make(text[:40])
        except ValueError:
            continue
    return text


def typed(text: str, kind: str) -> Any:
    """Return what was typed in the type that the trait or property is stored in."""
    if kind == NUMBER:
        return number(text)
    if kind == YES_NO:
        return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)
    return text


def split(text: str) -> list[str]:
    """Return the values of a list typed with commas; quotes hold a comma inside a value."""
    try:
        rows = list(csv.reader(text.splitlines()[:1000], skipinitialspace=True))
    except csv.Error:
        rows = [text.split(",")]
    return [item.strip() for row in rows for item in row if item.strip()]


def joined(values: Any) -> str:
    """Return a list of values as it is typed."""
    items = [shown(value) for value in values] if isinstance(values, (list, tuple)) else [shown(values)]
    quoted = ('"' + item.replace('"', '""') + '"' if "," in item or '"' in item else item for item in items)
    return ", ".join(quoted)


def shown(value: Any) -> str:
    """Return a value as it is typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


# Buttons -----------------------------------------------------------------------------------------------------------
def act(rule: Json, action: str) -> Json:
    """Return the rule after a button was pressed; an unknown action changes nothing."""
    verb, _colon, rest = action.partition(":")
    path, _colon, more = rest.partition(":")
    if verb == "exclude" and rule["exclude"] is None:
        rule["exclude"] = {"type": "any", "children": [empty_leaf("member")]}
        return rule
    node = _find(rule, path)
    if node is None:
        return rule
    siblings = node["child"]["children"] if node.get("type") == "not" else node.get("children")
    if verb == "add" and isinstance(siblings, list):
        siblings.append(empty_leaf(more if more in LEAVES else "trait"))
    elif verb == "group" and isinstance(siblings, list):
        siblings.append({"type": "any", "children": [empty_leaf("trait")]})
    elif verb == "remove":
        _remove(rule, path)
    elif verb == "where" and node.get("type") == "event":
        node["where"].append({"key": "", "operator": "is", "value": ""})
    elif verb == "unwhere" and node.get("type") == "event" and more.isdigit() and int(more) < len(node["where"]):
        del node["where"][int(more)]
    return rule


def _find(rule: Json, path: str) -> Any:
    root, *places = path.split(".")
    node = rule.get(root) if root in ("include", "exclude") else None
    for place in places:
        if not isinstance(node, dict) or not place.isdigit():
            return None
        below = [node["child"]] if node.get("type") == "not" else node.get("children", [])
        node = below[int(place)] if int(place) < len(below) else None
    return node


def spoken(rule: Json, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems to show while a rule is made: not those of conditions that nobody has begun with."""
    return tuple(item for item in problems if not _untouched(_find(rule, item.path)))


def _untouched(node: Any) -> bool:
    return isinstance(node, dict) and node.get("type") in LEAVES and node == empty_leaf(node["type"])


def _remove(rule: Json, path: str) -> None:
    above, _dot, place = path.rpartition(".")
    if not above:
        rule[path] = None if path == "exclude" else {"type": "all", "children": []}
        return
    parent = _find(rule, above)
    if parent is not None and parent.get("type") in ("all", "any"):
        del parent["children"][int(place)]
        if above == "exclude.0" or (above == "exclude" and not parent["children"]):
            rule["exclude"] = None if not parent["children"] else rule["exclude"]
