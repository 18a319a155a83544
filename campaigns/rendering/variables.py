"""Which of a person's data a message uses, and where a gap could show ("Hi ,")."""

from __future__ import annotations

from dataclasses import dataclass

from liquid import BoundTemplate
from liquid.ast import ConditionalBlockNode, Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.if_tag import IfNode

from campaigns.rendering.engine import expressions_of, nodes_of

#: what may be written before the dot
ROOTS = frozenset({"person", "links", "sender", "purpose", "data"})


@dataclass(frozen=True)
class Use:
    """One mention of a value: `person.first_name` on line 3, with or without something for when it is missing."""

    root: str
    key: str
    line: int
    printed: bool
    covered: bool  # has a default, or stands inside a condition about itself


def uses_of(template: BoundTemplate, source: str) -> list[Use]:
    """Return every mention of a global value in the template."""
    outside = {
        mention.span.index
        for mentions in template.analyze(include_partials=False).globals.values()
        for mention in mentions
    }
    asked = _asked_for(template)
    uses: list[Use] = []
    for node in nodes_of(template):
        for expression in node.expressions():
            for path in expressions_of(expression):
                if isinstance(path, Path) and (use := _use(path, node, expression, asked, outside, source)):
                    uses.append(use)
    return sorted(set(uses), key=lambda use: (use.line, use.root, use.key))


def _use(path: Path, node: Node, expression: object, asked: set[str], outside: set[int], source: str) -> Use | None:
    if not path.path or not isinstance(path.path[0], str) or path.token.start_index not in outside:
        return None
    root = path.path[0]
    key = path.path[1] if len(path.path) > 1 and isinstance(path.path[1], str) else ""
    printed = isinstance(node, OutputNode)
    has_default = isinstance(expression, FilteredExpression) and any(
        step.name == "default" for step in expression.filters or ()
    )
    return Use(
        root=root,
        key=key,
        line=source.count("\n", 0, max(path.token.start_index, 0)) + 1,
        printed=printed,
        covered=has_default or f"{root}.{key}" in asked,
    )


def _asked_for(template: BoundTemplate) -> set[str]:
    """Return the values that a condition asks about: whoever writes `{% if person.city %}` has thought of the gap."""
    asked: set[str] = set()
    for node in nodes_of(template):
        if isinstance(node, (IfNode, ConditionalBlockNode)):
            for expression in node.expressions():
                for path in expressions_of(expression):
                    if isinstance(path, Path) and len(path.path) > 1:
                        asked.add(f"{path.path[0]}.{path.path[1]}")
    return asked
