"""`manage.py work`: the workers, a process or more for each kind of work, kept running."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from cdp.health.heartbeats import BEAT
from cdp.processes import children
from cdp.processes.kinds import NAMES
from cdp.processes.output import say
from cdp.processes.ownership import AlreadyRunning, Ownership
from cdp.processes.supervisor import Child, Supervisor
from cdp.start_checks import troubles_at_start

#: less than the 60 s that compose.yaml gives; a worker ends when the item at hand is done
STOP_SECONDS = 45.0


class Command(BaseCommand):
    """Run workers and beat, and mind them."""

    help = "Run the workers of all kinds of work, or of those named, or beat. WORKERS=events=2 gives one kind more."
    requires_system_checks: list[str] = []  # the database may come later than we do

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the kinds of work."""
        parser.add_argument("kinds", nargs="*", metavar="kind", help=", ".join((*NAMES, BEAT)))

    def handle(self, *args: Any, **options: Any) -> None:
        """Start, mind until a signal comes, stop."""
        wanted = options["kinds"] or list(NAMES)
        if unknown := [name for name in wanted if name not in (*NAMES, BEAT)]:
            raise CommandError(f"There is no {unknown[0]}; there are: {', '.join((*NAMES, BEAT))}")
        if troubles := troubles_at_start():
            raise CommandError("\n".join(troubles))
        connections.close_all()
        role = "work" + "".join(f"-{name}" for name in sorted(options["kinds"]))
        try:
            ownership = Ownership.take(settings.VAR_DIR, role)
        except AlreadyRunning as error:
            raise CommandError(f"These workers are {error} (VAR_DIR {settings.VAR_DIR}).") from error
        for line in ownership.end_leftovers():
            say("work", f"ended what an earlier start had left behind: {line}")
        supervisor = Supervisor(
            _children(wanted, named=bool(options["kinds"])),
            folder=settings.BASE_DIR,
            var_dir=settings.VAR_DIR,
            environment=ownership.environment(),
            name="work",
            stop_seconds=STOP_SECONDS,
        )
        supervisor.stop_on_signals()
        try:
            supervisor.run()
        finally:
            supervisor.stop()
            ownership.end_all()


def _children(wanted: list[str], *, named: bool) -> list[Child]:
    # A kind that is asked for by name gets at least one process, whatever WORKERS says of it.
    plan = {name: max(count, 1) if named else count for name, count in settings.WORKERS.items() if name in wanted}
    found = children.workers(plan)
    return [*found, children.beat()] if BEAT in wanted else found
