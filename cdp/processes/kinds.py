"""The kinds of work, each with processes and a broker queue of its own, so that none can take the place of another.

The one place that says which task is of which kind. Read by the settings, so nothing of Django here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

#: what beat sends to every kind, so that a worker which hears nothing knows that it is deaf
PING = "cdp.heartbeat"
#: a wake-up that a dead worker had taken comes back to others after this (seconds). Two runs of one drain do no harm.
VISIBILITY_SECONDS = 600


@dataclass(frozen=True)
class Kind:
    """A kind of work. Its name is also that of its queue at the broker."""

    name: str
    #: names of tasks, `*` stands for anything; the first kind that matches has the task
    tasks: tuple[str, ...]
    #: tasks at the same time in one process: enough that each finds room while all others use all their slots
    threads: int
    #: seconds after which a task counts as hung and its process gives itself up. No task comes near it in good order:
    #: drains end after 50 s, statements have time-outs of their own.
    longest: float


KINDS = (
    Kind("events", ("profiles.process_inbox",), threads=1, longest=600),
    Kind("segments", ("segments.*",), threads=6, longest=1200),
    # A dry run of a large file is one piece of work, and so is an export.
    Kind("imports", ("profiles.run_import", "profiles.run_export"), threads=4, longest=2 * 3600),
    # Two may send; the third is free for what starts or plans.
    Kind("sends", ("campaigns.*",), threads=3, longest=1800),
    Kind("upkeep", ("*",), threads=4, longest=2 * 3600),
)
NAMES = tuple(kind.name for kind in KINDS)


def kind_of(task: str) -> Kind:
    """Return the kind of a task; upkeep takes what no other names."""
    return next(kind for kind in KINDS if any(fnmatchcase(task, pattern) for pattern in kind.tasks))


def kind_named(name: str) -> Kind:
    """Return a kind by its name; raise ValueError naming those that there are."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ValueError(f"there is no kind of work named {name!r}; there are: {', '.join(NAMES)}")


def route_task(name: str, *_args: Any, **_kwargs: Any) -> dict[str, str]:
    """Route a task to the queue of its kind (Celery's `task_routes`)."""
    return {"queue": kind_of(name).name}


def parse_plan(text: str) -> dict[str, int]:
    """Return how many processes each kind gets from `events=2,imports=0`; a kind that is not named gets one.

    Raise ValueError for an unknown kind or a count that is no number.
    """
    plan = dict.fromkeys(NAMES, 1)
    for part in filter(None, re.split(r"[,\s]+", text)):
        name, _equals, count = part.partition("=")
        if not count.isdigit():
            raise ValueError(f"{part!r} is not of the form events=2")
        plan[kind_named(name).name] = int(count)
    return plan
