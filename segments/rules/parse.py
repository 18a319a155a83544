"""From JSON to nodes. Every fault is reported with the path of its node; nothing is guessed or dropped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from profiles.identity.trait_names import canonical_name
from segments.rules import nodes
from segments.rules.errors import Problem, RuleError
from segments.rules.folding import fold
from segments.rules.nodes import Node, Rule, Scalar, Value
from segments.rules.operators import CONSENT_STATES, COUNTS, OPERATORS, SEEN, WINDOWS
from segments.rules.paths import place_of
from segments.rules.texts import gettext_noop as _

MAX_NODES = 100
MAX_DEPTH = 6
MAX_VALUES = 1000
MAX_BYTES = 64 * 1024
MAX_TEXT = 500
MAX_DAYS = 36_500
MAX_TIMES = 1_000_000
MAX_WHERE = 10


def parse(data: Any) -> Rule:
    """Return the rule; raise RuleError with every fault found."""
    return _Parser().rule(data)


class _Stop(Exception):
    """One node cannot be made; its fault is noted."""


class _Parser:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.nodes = 0
        self.values = 0

    def rule(self, data: Any) -> Rule:
        """Read {"include", "exclude"}."""
        include: Node | None = None
        exclude: Node | None = None
        try:
            if not isinstance(data, dict):
                self.stop("include", "not_a_rule", _("A rule is an object with include and exclude."))
            self.measure(data)
            unknown = set(data) - {"include", "exclude"}
            if unknown:
                self.stop("include", "unknown_field", _("Unknown part: %(name)s."), name=min(map(str, unknown)))
            include = self.guarded(data.get("include"), "include", 1)
            if data.get("exclude") is not None:
                exclude = self.guarded(data["exclude"], "exclude", 1)
        except _Stop:
            pass
        if self.problems or include is None:
            raise RuleError(self.problems)
        return Rule(include, exclude)

    def measure(self, data: Any) -> None:
        """Refuse what is too big before it is walked."""
        try:
            size = len(json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        except (TypeError, ValueError, RecursionError):
            self.stop("include", "not_a_rule", _("A rule holds plain JSON only."))
        if size > MAX_BYTES:
            self.stop("include", "too_big", _("A rule may take up to %(limit)s kilobytes."), limit=MAX_BYTES // 1024)

    def stop(self, path: str, code: str, text: str, **values: Any) -> Any:
        """Note a fault and give the node up."""
        self.problems.append(Problem(path=path, code=code, text=text, values=values))
        raise _Stop

    def guarded(self, data: Any, path: str, depth: int) -> Node | None:
        """Read a node; None when it has a fault, so that its neighbours are still read."""
        try:
            return self.node(data, path, depth)
        except _Stop:
            return None

    def node(self, data: Any, path: str, depth: int) -> Node:
        """Read one node and those below."""
        if data is None or data == {}:
            self.stop(path, "missing", _("A condition is missing here."))
        if not isinstance(data, dict):
            self.stop(path, "not_a_node", _("A condition is an object."))
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.stop(
                    path, "too_many", _("A rule may have up to %(limit)s conditions and groups."), limit=MAX_NODES
                )
            raise _Stop
        if depth > MAX_DEPTH:
            self.stop(path, "too_deep", _("Groups may be nested up to %(limit)s deep."), limit=MAX_DEPTH)
        kind = data.get("type")
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            self.stop(path, "unknown_type", _("There is no condition of type %(name)s."), name=str(kind)[:60])
        read, known = reader  # type: ignore[misc]  # stop() never returns
        extra = set(data) - known - {"type"}
        if extra:
            self.stop(path, "unknown_field", _("Unknown part: %(name)s."), name=min(map(str, extra))[:60])
        return read(self, data, path, depth)

    # Groups ----------------------------------------------------------------------------------------------------
    def many(self, data: Mapping[str, Any], path: str, depth: int) -> tuple[Node, ...]:
        """Read the children of a group; an empty group is a fault."""
        items = data.get("children")
        if not isinstance(items, list) or not items:
            self.stop(path, "empty_group", _("This group is empty. Add a condition, or remove the group."))
            raise _Stop
        found = [self.guarded(item, f"{path}.{index}", depth + 1) for index, item in enumerate(items)]
        if any(item is None for item in found):
            raise _Stop
        return tuple(item for item in found if item is not None)

    def all(self, data: Mapping[str, Any], path: str, depth: int) -> Node:
        """Read ALL of."""
        return nodes.All(self.many(data, path, depth))

    def any(self, data: Mapping[str, Any], path: str, depth: int) -> Node:
        """Read ANY of."""
        return nodes.AnyOf(self.many(data, path, depth))

    def negated(self, data: Mapping[str, Any], path: str, depth: int) -> Node:
        """Read NOT."""
        return nodes.Not(self.node(data.get("child"), f"{path}.0", depth + 1))

    def everyone(self, _data: Mapping[str, Any], _path: str, _depth: int) -> Node:
        """Read the explicit everyone."""
        return nodes.Everyone()

    # Conditions ------------------------------------------------------------------------------------------------
    def trait(self, data: Mapping[str, Any], path: str, _depth: int) -> nodes.Trait:
        """Read a comparison of a trait; `firstName` is the trait `first_name`."""
        compared = self.compared(data, path)
        return replace(compared, key=canonical_name(compared.key))

    def compared(self, data: Mapping[str, Any], path: str) -> nodes.Trait:
        """Read a comparison of a trait or a property."""
        key = self.text(data.get("key"), path, _("Choose a trait."), limit=200)
        try:
            place_of(key)
        except ValueError:
            self.stop(path, "bad_path", _("Write the lines of a list as list[].name, with one [] at most."))
        operator = OPERATORS.get(data["operator"]) if isinstance(data.get("operator"), str) else None
        if operator is None:
            self.stop(
                path, "unknown_operator", _("There is no comparison %(name)s."), name=str(data.get("operator"))[:60]
            )
            raise _Stop
        return nodes.Trait(key, operator.key, self.value(operator.takes, data.get("value"), path))

    def event(self, data: Mapping[str, Any], path: str, _depth: int) -> Node:
        """Read a condition on behaviour."""
        name = self.text(data.get("name"), path, _("Choose an event."), limit=200)
        count = data.get("count", "at_least")
        if not isinstance(count, str) or count not in COUNTS:
            self.stop(path, "unknown_operator", _("There is no comparison %(name)s."), name=str(count)[:60])
        times = 0 if count == "never" else self.whole(data.get("times", 1), path, MAX_TIMES)
        if count == "at_least" and times == 0:
            self.stop(path, "zero_times", _("At least 0 times holds for everybody: give 1 or more."))
        where = data.get("where", [])
        if not isinstance(where, list) or len(where) > MAX_WHERE:
            self.stop(path, "bad_where", _("An event may have up to %(limit)s conditions of its own."), limit=MAX_WHERE)
        filters = []
        for item in where:
            if not isinstance(item, dict) or set(item) - {"key", "operator", "value"}:
                self.stop(path, "bad_where", _("A condition on an event has a property, a comparison and a value."))
            filters.append(self.compared(item, path))
        return nodes.Event(name, str(count), times, self.window(data.get("window"), path), tuple(filters))

    def window(self, data: Any, path: str) -> nodes.Window:
        """Read when something happened."""
        if data is None:
            return nodes.Window()
        if not isinstance(data, dict) or data.get("kind") not in WINDOWS:
            self.stop(path, "bad_window", _("Choose when: ever, in the last days, or between two days."))
        if data["kind"] == "last":
            return nodes.Window("last", days=self.days(data.get("days"), path))
        if data["kind"] == "between":
            start = date.fromisoformat(self.day(data.get("from"), path))
            end = date.fromisoformat(self.day(data.get("to"), path))
            if end < start:
                self.stop(path, "bad_window", _("The second day lies before the first."))
            return nodes.Window("between", start=start, end=end)
        return nodes.Window()

    def seen(self, data: Mapping[str, Any], path: str, _depth: int) -> Node:
        """Read a condition on first or last seen."""
        which, operator = data.get("which"), data.get("operator")
        if not isinstance(which, str) or not isinstance(operator, str) or (which, operator) not in SEEN:
            self.stop(path, "unknown_operator", _("There is no comparison %(name)s."), name=f"{which} {operator}"[:60])
        return nodes.Seen(str(which), str(operator), self.days(data.get("days"), path))

    def member(self, data: Mapping[str, Any], path: str, _depth: int) -> Node:
        """Read a reference to another segment."""
        segment = data.get("segment")
        if isinstance(segment, bool) or not isinstance(segment, int) or not 0 < segment < 2**63:
            self.stop(path, "missing_reference", _("Choose a segment."))
            raise _Stop
        return nodes.Member(segment)

    def consent(self, data: Mapping[str, Any], path: str, _depth: int) -> Node:
        """Read a condition on permission."""
        purpose = self.text(data.get("purpose"), path, _("Choose a purpose."), limit=60)
        channel = self.text(data.get("channel"), path, _("Choose a channel."), limit=10)
        state = data.get("state")
        if not isinstance(state, str) or state not in CONSENT_STATES:
            self.stop(path, "unknown_operator", _("There is no answer %(name)s."), name=str(state)[:60])
        return nodes.Consent(purpose, channel, str(state))

    def identifier(self, data: Mapping[str, Any], path: str, _depth: int) -> Node:
        """Read a condition on having an identifier."""
        return nodes.HasIdentifier(self.text(data.get("kind"), path, _("Choose a kind of identifier."), limit=40))

    # Values ----------------------------------------------------------------------------------------------------
    def value(self, takes: str, data: Any, path: str) -> Value:
        """Read what a comparison compares with."""
        if takes == "nothing":
            if data is not None:
                self.stop(path, "bad_value", _("This comparison takes no value."))
            return None
        if takes == "scalars":
            if not isinstance(data, list) or not data:
                self.stop(path, "bad_value", _("Give at least one value."))
            self.count(len(data), path)
            return tuple(self.scalar(item, path) for item in data)
        self.count(1, path)
        if takes == "two_numbers":
            if not isinstance(data, list) or len(data) != 2:
                self.stop(path, "bad_value", _("Give two numbers."))
            low, high = self.number(data[0], path), self.number(data[1], path)
            if high < low:
                self.stop(path, "bad_value", _("The second number is below the first."))
            return (low, high)
        if takes == "text":
            text = self.text(data, path, _("Give a text."))
            if not fold(text):  # every text would contain it
                self.stop(path, "bad_value", _("Give a text with at least one letter, digit or sign."))
            return text
        readers: dict[str, Callable[[Any, str], Value]] = {
            "scalar": self.scalar,
            "number": self.number,
            "date": self.day,
            "days": self.days,
        }
        return readers[takes](data, path)

    def count(self, more: int, path: str) -> None:
        """Count the values of the whole rule."""
        self.values += more
        if self.values > MAX_VALUES:
            self.stop(path, "too_many_values", _("A rule may hold up to %(limit)s values."), limit=MAX_VALUES)

    def text(self, data: Any, path: str, ask: str, *, limit: int = MAX_TEXT) -> str:
        """Read a text that PostgreSQL can hold."""
        if not isinstance(data, str) or not data:
            self.stop(path, "bad_value", ask)
        if len(data) > limit:
            self.stop(path, "too_long", _("Up to %(limit)s characters, please."), limit=limit)
        if "\x00" in data or any("\ud800" <= character <= "\udfff" for character in data):
            self.stop(path, "bad_value", _("A text may not hold NUL or half characters."))
        return str(data)

    def scalar(self, data: Any, path: str) -> Scalar:
        """Read a text, a number or yes/no."""
        if isinstance(data, bool):
            return data
        return self.number(data, path) if isinstance(data, (int, float)) else self.text(data, path, _("Give a value."))

    def number(self, data: Any, path: str) -> int | float:
        """Read a number."""
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.stop(path, "bad_value", _("Give a number."))
        if not math.isfinite(data) or abs(data) >= 2**63:
            self.stop(path, "bad_value", _("This number is out of range."))
        return data  # type: ignore[no-any-return]

    def whole(self, data: Any, path: str, limit: int) -> int:
        """Read a whole number from 0 to `limit`."""
        if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data <= limit:
            self.stop(path, "bad_value", _("Give a whole number from 0 to %(limit)s."), limit=limit)
        return int(data)

    def days(self, data: Any, path: str) -> int:
        """Read a number of days."""
        days = self.whole(data, path, MAX_DAYS)
        if days == 0:
            self.stop(path, "bad_value", _("Give a number of days, 1 or more."))
        return days

    def day(self, data: Any, path: str) -> str:
        """Read a calendar day."""
        try:
            if not isinstance(data, str) or len(data) != 10:
                raise ValueError
            return date.fromisoformat(data).isoformat()
        except ValueError:
            return str(self.stop(path, "bad_value", _("Give a day as year-month-day, such as 2026-03-31.")))


_READERS: Mapping[str, tuple[Callable[[_Parser, Mapping[str, Any], str, int], Node], set[str]]] = {
    "all": (_Parser.all, {"children"}),
    "any": (_Parser.any, {"children"}),
    "not": (_Parser.negated, {"child"}),
    "everyone": (_Parser.everyone, set()),
    "trait": (_Parser.trait, {"key", "operator", "value"}),
    "event": (_Parser.event, {"name", "count", "times", "window", "where"}),
    "seen": (_Parser.seen, {"which", "operator", "days"}),
    "member": (_Parser.member, {"segment"}),
    "consent": (_Parser.consent, {"purpose", "channel", "state"}),
    "identifier": (_Parser.identifier, {"kind"}),
}
