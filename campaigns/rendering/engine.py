"""Liquid with its limits set: merge tags, conditions and loops over a person's data, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _
from liquid import BoundTemplate, DictLoader, Environment, Mode
from liquid.ast import Node
from liquid.builtin.expressions import StringLiteral
from liquid.context import RenderContext
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from campaigns.rendering.budget import CountedTemplate, TooLong, start_budget
from campaigns.rendering.guards import guard_filters
from campaigns.rendering.problems import RenderFailure, TemplateProblem

#: tags that read other templates; there are none to read
REMOVED_TAGS = ("include", "render")
MAX_SOURCE = 200_000
_BLOCK_TAG = re.compile(r"{%-?\s*((?:end)?(?:if|unless|for|case|capture|comment|raw|tablerow|ifchanged|doc))\b")


class PlainString(StringLiteral):
    """A text written in a tag. The library trusts it as markup; here it is text and escaped like any other."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> str:
        """Return the plain text."""
        return self.value


class MailEnvironment(Environment):
    """Limits that a mail never meets and an attack does."""

    loop_iteration_limit = 10_000
    output_stream_limit = 1_000_000
    local_namespace_limit = 100_000
    block_nesting_limit = 20
    context_depth_limit = 20
    template_class = CountedTemplate


def _environment(*, escape: bool) -> MailEnvironment:
    environment = MailEnvironment(autoescape=escape, tolerance=Mode.STRICT, strict_filters=True, loader=DictLoader({}))
    for tag in REMOVED_TAGS:
        environment.tags.pop(tag, None)
    guard_filters(environment.filters)
    return environment


_HTML = _environment(escape=True)
_PLAIN = _environment(escape=False)


def parse(source: str, *, field: str, html: bool) -> BoundTemplate:
    """Parse a template; raise TemplateProblem with the line and the remedy."""
    if len(source) > MAX_SOURCE:
        raise TemplateProblem(
            _("The text is longer than %(limit)s characters; mail programs cut such mails off.")
            % {"limit": MAX_SOURCE},
            field=field,
        )
    try:
        template = (_HTML if html else _PLAIN).from_string(source)
        for node in template.nodes:
            _distrust_literals(node, RenderContext(template))
    except LiquidError as error:
        raise _problem(error, source, field) from None
    except RecursionError:
        raise TemplateProblem(_("The tags are nested too deeply."), field=field) from None
    _refuse_unknown_filters(template, source, field)
    return template


@lru_cache(maxsize=256)
def parsed(source: str, html: bool) -> BoundTemplate:
    """Return the parsed template of a source that was checked at save."""
    return parse(source, field="body", html=html)


def render(template: BoundTemplate, context: dict[str, Any]) -> str:
    """Render for one person; raise RenderFailure when a limit is met. Values are never parsed again (A33)."""
    try:
        try:
            start_budget()
            return template.render(**context)
        except TooLong:
            # Processor time depends on the machine too: nobody is failed for one bad moment of it.
            start_budget()
            return template.render(**context)
    except LiquidError as error:
        raise RenderFailure("render_error", str(error.message)[:300]) from None
    except (ValueError, TypeError, ArithmeticError, RecursionError, MemoryError, AttributeError) as error:
        raise RenderFailure("render_error", f"{type(error).__name__}: {error}"[:300]) from None


def nodes_of(template: BoundTemplate) -> Iterator[Node]:
    """Walk every node of a template."""
    context = RenderContext(template)
    stack = list(template.nodes)
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children(context, include_partials=False))


def expressions_of(expression: Expression) -> Iterator[Expression]:
    """Walk an expression and everything inside it."""
    stack = [expression]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(item.children())


def _distrust_literals(node: Node, context: RenderContext) -> None:
    for expression in node.expressions():
        for item in expressions_of(expression):
            if type(item) is StringLiteral:
                item.__class__ = PlainString  # same slots; the parser offers no hook for its own class
    for child in node.children(context, include_partials=False):
        _distrust_literals(child, context)


def _refuse_unknown_filters(template: BoundTemplate, source: str, field: str) -> None:
    for name, spans in template.analyze(include_partials=False).filters.items():
        if name not in template.env.filters:
            raise TemplateProblem(
                _("There is no filter “%(name)s”. Often used: default, capitalize, upcase, date, truncate.")
                % {"name": name},
                field=field,
                line=source.count("\n", 0, max(spans[0].index, 0)) + 1,
            )


def _problem(error: LiquidError, source: str, field: str) -> TemplateProblem:
    place = error.context()
    return TemplateProblem(
        _(
            "The tag cannot be read: %(reason)s. Write {{ person.first_name }} for a value, "
            "{%% if person.city %%} … {%% endif %%} for a condition."
        )
        % {"reason": error.message},
        field=field,
        line=place[0] if place else _unclosed_line(source),
    )


def _unclosed_line(source: str) -> int:
    """Return the line of the first block tag that nothing closes; 0 when there is none."""
    open_tags: list[tuple[str, int]] = []
    for match in _BLOCK_TAG.finditer(source):
        name = match[1]
        if not name.startswith("end"):
            open_tags.append((name, match.start()))
        elif open_tags and open_tags[-1][0] == name[3:]:
            open_tags.pop()
    return source.count("\n", 0, open_tags[-1][1]) + 1 if open_tags else 0
