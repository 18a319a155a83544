"""`manage.py work`: the workers, a process or more for each kind of work, kept running."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cdp.health.heartbeats import BEAT
from cdp.processes import children
from cdp.processes.kinds import NAMES
from cdp.processes.supervisor import Supervisor


class Command(BaseCommand):
    """Run workers and beat, and mind them."""

    help = (
        "Run the workers: all kinds of work, or those named; `work beat` runs beat. WORKERS=events=2 runs more of one."
    )
    requires_system_checks: list[str] = []  # the database may come later than we do

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the kinds of work."""
        parser.add_argument("kinds", nargs="*", metavar="kind", help=", ".join((*NAMES, BEAT)))

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, mind until a signal comes, stop."""
        wanted = options["kinds"] or list(NAMES)
        if unknown := [name for name in wanted if name not in (*NAMES, BEAT)]:
            raise CommandError(f"There is no {unknown[0]}; there are: {', '.join((*NAMES, BEAT))}")
        plan = {name: max(1, count) if options["kinds"] else count for name, count in settings.WORKERS.items()}
        found = children.workers({name: plan[name] for name in wanted if name != BEAT})
        if BEAT in wanted:
            found.append(children.beat())
        supervisor = Supervisor(found, folder=settings.BASE_DIR, environment={**os.environ, "PYTHONUNBUFFERED": "1"})
        supervisor.stop_on_signals()
        try:
            supervisor.run()
        finally:
            supervisor.stop()
