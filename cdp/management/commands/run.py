"""`manage.py run`: everything in one terminal. It prepares what is missing, starts the processes and minds them."""

from __future__ import annotations

import os
import signal
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections

from cdp.embedded import postgres
from cdp.embedded.first_run import credentials_path, ensure_credentials, read_credentials
from cdp.embedded.minder import Minder
from cdp.embedded.postgres_commands import PostgresError
from cdp.embedded.preflight import troubles
from cdp.embedded.static_step import collect_static
from cdp.processes.children import beat, workers
from cdp.processes.output import say
from cdp.processes.ownership import RUN, AlreadyRunning, Ownership
from cdp.processes.supervisor import LOOK_SECONDS, Child, Supervisor
from cdp.start_checks import troubles_at_start


class Command(BaseCommand):
    """Run PostgreSQL, web, worker, beat and the capture mailbox together."""

    help = "Run everything in one terminal: for a laptop or a trial, not for production."
    requires_system_checks: list[str] = []  # the database may not run yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address to listen on."""
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, start, wait for Ctrl-C, stop."""
        _interrupt_on_signals()
        try:
            self._run(options["host"])
        except KeyboardInterrupt:
            say("run", "interrupted")

    def _run(self, host: str) -> None:
        _refuse(troubles(host=host, ports={}, var_dir=settings.VAR_DIR))
        ownership = self._take_folder()
        ports = {"web": settings.PORT}
        if settings.CAPTURE_MAIL:
            ports["capture mailbox"] = settings.CAPTURE_SMTP_PORT
        _refuse(troubles(host=host, ports=ports, var_dir=settings.VAR_DIR))
        supervisor = Supervisor(
            children(host), folder=settings.BASE_DIR, var_dir=settings.VAR_DIR, environment=ownership.environment()
        )
        minder = Minder(settings.VAR_DIR)
        try:
            credentials = prepare()
            if settings.LOCAL:
                minder.start()
            supervisor.stop_on_signals()
            self._serve(supervisor, credentials)
        finally:
            say("run", "stopping")
            minder.stop()
            connections.close_all()
            supervisor.stop()
            ownership.end_all()
            if settings.LOCAL:
                postgres.stop(settings.VAR_DIR)
            say("run", "stopped; the data are kept in " + str(settings.VAR_DIR))

    def _take_folder(self) -> Ownership:
        """Take VAR_DIR for ourselves, and end what a start that was killed has left running in it."""
        try:
            ownership = Ownership.take(settings.VAR_DIR, RUN, port=settings.PORT)
        except AlreadyRunning as error:
            raise CommandError(
                f"Klantbeeld is {error} on port {error.owner.get('port', '?')}, with the data in {settings.VAR_DIR}. "
                "End that one first (Ctrl-C), or use another folder and port: make run VAR_DIR=var2 PORT=8001"
            ) from error
        for line in ownership.end_leftovers():
            say("run", f"ended what an earlier start had left behind: {line}")
        return ownership

    def _serve(self, supervisor: Supervisor, credentials: dict[str, Any]) -> None:
        shown = False
        while not supervisor.stopping.wait(LOOK_SECONDS):
            supervisor.look()
            if not shown and answers():
                shown = True
                for line in welcome(credentials):
                    say("run", line)
                if settings.DEMO:
                    supervisor.add(Child("demo", [sys.executable, "manage.py", "demo"], once=True))


def _interrupt_on_signals() -> None:
    """Let SIGTERM and a closed terminal stop the preparations as Ctrl-C does."""

    def interrupt(*_signal: Any) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _refuse(found: list[str]) -> None:
    if found:
        raise CommandError("\n".join(found))


def prepare() -> dict[str, Any]:
    """Start the database, bring it up to date, collect static files, make the first users and, for a demo, its keys."""
    try:
        if settings.LOCAL:
            say("run", "starting the embedded PostgreSQL")
            postgres.ensure_running(settings.VAR_DIR)
        say("run", "bringing the database up to date")
        call_command("migrate", interactive=False, verbosity=0)
        if found := troubles_at_start():
            raise CommandError("\n".join(found))
        collect_static()
        ensure_credentials()
        if settings.DEMO:
            call_command("demo", keys_only=True)
        return read_credentials()
    except PostgresError as error:
        raise CommandError(str(error)) from error
    except OperationalError as error:
        raise CommandError(f"The database of DATABASE_URL does not answer: {str(error).strip()}") from error
    except OSError as error:
        raise CommandError(f"{error.strerror or error}: {error.filename or settings.VAR_DIR}") from error


def children(host: str) -> list[Child]:
    """Return the processes to keep running, as they can also be run each alone."""
    python = sys.executable
    web = [python, "-m", "cdp.web", "--host", host, "--port", str(settings.PORT), "--log-level", "warning"]
    web += ["--workers", str(settings.WEB_WORKERS), "--respawn-failed-workers", "--workers-kill-timeout", "5"]
    found = [
        Child("web", web, watched=True),
        *workers(settings.WORKERS),
        beat(),
    ]
    if settings.CAPTURE_MAIL:
        folder = settings.VAR_DIR / "mailbox"
        port = str(settings.CAPTURE_SMTP_PORT)
        found.insert(0, Child("mailbox", [python, "-m", "cdp.mailbox.server", "--port", port, "--folder", str(folder)]))
    return found


def answers() -> bool:
    """Tell whether the web process answers on this machine."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.PORT}/healthz", timeout=2):
            return True
    except (OSError, urllib.error.URLError):
        return False


def welcome(credentials: dict[str, Any]) -> list[str]:
    """Return the lines that say where it is, who may log in, and with which keys to send."""
    lines = ["", f"Klantbeeld is at {settings.SITE_URL}", ""]
    lines += [f"  {role:<16} {user['username']} / {user['password']}" for role, user in credentials["users"].items()]
    lines.append("")
    lines += [f"  {name + ' key':<16} {key}" for name, key in credentials.get("write_keys", {}).items()]
    lines.append(f"  {'API token':<16} {credentials['api_token']}")
    if settings.CAPTURE_MAIL:
        lines.append(f"  captured mail    {settings.SITE_URL}/mailbox/")
    return [*lines, "", f"These are also in {credentials_path()}. Ctrl-C stops everything.", ""]
