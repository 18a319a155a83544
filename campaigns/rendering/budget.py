"""What one render may do: so many steps, and as a second net so much processor time.

Steps are the same on every machine, so that a message either works for everybody or is found out in the editor. Time on
the wall is not asked: a machine that stalls must not fail people.
"""

from __future__ import annotations

import threading
import time

from liquid import BoundTemplate
from liquid.context import RenderContext
from liquid.exceptions import LiquidError

#: a step is a node that is rendered or a filter that is applied; large values count for more
RENDER_STEPS = 50_000
RENDER_SECONDS = 0.5  # of this thread's processor time
_LOOK_EVERY = 64  # steps between two looks at the clock, which is a system call


class LimitReached(LiquidError):
    """A template did more than a mail may."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


class TooLong(LimitReached):
    """A render used up its processor time: perhaps the machine's fault, so it is worth another try."""


class _Budget(threading.local):
    steps = 0
    until = float("inf")


_budget = _Budget()


def start_budget() -> None:
    """Begin one render."""
    _budget.steps = RENDER_STEPS
    _budget.until = time.thread_time() + RENDER_SECONDS


def spend(steps: int = 1) -> None:
    """Count steps; raise when this render has done too much or took too long."""
    before = _budget.steps
    _budget.steps = after = before - steps
    if after < 0:
        raise LimitReached("the template does too much for one mail")
    if before // _LOOK_EVERY != after // _LOOK_EVERY and time.thread_time() > _budget.until:
        raise TooLong("the template takes too long")


class CountedContext(RenderContext):
    """Counts every node: the library asks for the disabled tags before it renders one, whatever its kind."""

    @property
    def disabled_tags(self) -> list[str]:
        """Return the tags that are not allowed here."""
        spend()
        return self._disabled_tags

    @disabled_tags.setter
    def disabled_tags(self, value: list[str]) -> None:
        self._disabled_tags = value


class CountedTemplate(BoundTemplate):
    """A template whose renders are counted."""

    context_class = CountedContext
