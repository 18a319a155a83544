"""The builder's tree as the template draws it: every node with its inputs, choices and faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from consent.models import Channel, Purpose
from profiles.models import IdentifierKind
from segments import suggestions
from segments.forms.draft import Json, joined, shown
from segments.models import Segment, Status
from segments.rules.errors import Problem
from segments.rules.operators import CONSENT_STATES, COUNTS, OPERATORS, WINDOWS

Choices = list[tuple[str, Any]]


@dataclass
class Compared:
    """The inputs of a comparison: of a trait, or of a property of an event."""

    name: str  # prefix of the field names, such as n:include.0:where.1.
    id: str
    key: str
    key_list: str
    operator: str
    operators: Choices
    takes: str
    value: str
    second: str
    suggestions: list[str]
    place: int = 0


@dataclass
class Drawn:
    """One node."""

    path: str
    id: str
    kind: str  # all | any | none, or the kind of leaf
    root: bool
    errors: list[str] = field(default_factory=list)
    children: list[Drawn] = field(default_factory=list)
    base: str = ""  # path that the children hang on
    fields: dict[str, Any] = field(default_factory=dict)
    compared: Compared | None = None
    where: list[Compared] = field(default_factory=list)
    where_keys: list[str] = field(default_factory=list)


class Tree:
    """Draw the parts of a rule."""

    def __init__(self, rule: Json, problems: tuple[Problem, ...], segment: Segment | None) -> None:
        self.faults: dict[str, list[str]] = {}
        for problem in problems:
            self.faults.setdefault(problem.path, []).append(problem.message(_))
        self.include = self.node(rule["include"], "include", True)
        self.exclude = self.node(rule["exclude"], "exclude", True) if rule["exclude"] else None
        self.segments: Choices = [
            (str(row.pk), row.name)
            for row in Segment.objects.filter(status=Status.LIVE)
            .exclude(pk=segment.pk if segment else 0)
            .order_by("name")
        ]
        self.purposes: Choices = [(row.slug, row.name) for row in Purpose.objects.filter(active=True)]
        self.channels: Choices = list(Channel.choices)
        self.states: Choices = [(key, _(label)) for key, label in CONSENT_STATES.items()]
        self.kinds: Choices = [(row.name, row.words) for row in IdentifierKind.objects.order_by("priority")]
        self.counts: Choices = [(key, _(label)) for key, (label, _sentence) in COUNTS.items()]
        self.windows: Choices = [(key, _(label)) for key, label in WINDOWS.items()]
        self.traits = suggestions.keys()
        self.events = suggestions.event_names()
        self.leaves: Choices = [
            ("trait", _("Trait")),
            ("event", _("Did")),
            ("seen", _("Seen")),
            ("member", _("Segment")),
            ("consent", _("Permission")),
            ("identifier", _("Identifier")),
            ("everyone", _("Everyone")),
        ]
        self.groups: Choices = [("all", _("ALL of these")), ("any", _("ANY of these")), ("none", _("NONE of these"))]

    def node(self, data: Json, path: str, root: bool = False) -> Drawn:
        """Return a node with those below."""
        kind = str(data.get("type", ""))
        drawn = Drawn(path=path, id=_id(path), kind=kind, root=root, errors=list(self.faults.get(path, [])), base=path)
        if kind == "not":
            drawn.kind, drawn.base = "none", f"{path}.0"
            drawn.errors += self.faults.get(drawn.base, [])
            items = data["child"]["children"]
        else:
            items = data.get("children", [])
        if kind in ("all", "any", "not"):
            drawn.children = [self.node(item, f"{drawn.base}.{index}") for index, item in enumerate(items)]
        elif kind == "trait":
            drawn.compared = _compared(data, f"n:{path}:", drawn.id, "", "traits")
        elif kind == "event":
            self.event(drawn, data)
        else:
            drawn.fields = {key: shown(value) for key, value in data.items()}
        return drawn

    def event(self, drawn: Drawn, data: Json) -> None:
        """Add the inputs of an event."""
        window = data.get("window") or {"kind": "ever"}
        drawn.fields = {
            "name": data.get("name", ""),
            "count": data.get("count", "at_least"),
            "times": shown(data.get("times", 1)),
            "window": window.get("kind", "ever"),
            "days": shown(window.get("days", 30)),
            "from": shown(window.get("from")),
            "to": shown(window.get("to")),
        }
        name = str(data.get("name", ""))
        drawn.where = [
            _compared(item, f"n:{drawn.path}:where.{place}.", f"{drawn.id}-w{place}", name, f"{drawn.id}-keys", place)
            for place, item in enumerate(data.get("where") or [])
        ]
        if drawn.where:
            drawn.where_keys = suggestions.keys(name)


def _id(path: str) -> str:
    return "node-" + path.replace(".", "-")


def _compared(data: Json, name: str, id_: str, event: str, key_list: str, place: int = 0) -> Compared:
    key, chosen = str(data.get("key", "")), str(data.get("operator", "is"))
    kind = suggestions.type_of(event, key) if key else ""
    operator = OPERATORS.get(chosen, OPERATORS["is"])
    value, second = data.get("value"), ""
    if operator.takes == "two_numbers":
        pair = [*value, "", ""][:2] if isinstance(value, (list, tuple)) else [value, ""]
        value, second = pair[0], shown(pair[1])
    return Compared(
        name=name,
        id=id_,
        key=key,
        key_list=key_list,
        operator=operator.key,
        operators=[
            (item.key, _(item.label))
            for item in OPERATORS.values()
            if not kind or kind in item.types or item.key == operator.key
        ],
        takes=operator.takes,
        value=joined(value) if operator.takes == "scalars" or isinstance(value, list) else shown(value),
        second=second,
        suggestions=suggestions.values(key, event) if operator.takes in ("scalar", "scalars", "text") else [],
        place=place,
    )
