"""`manage.py run`: everything in one terminal. It prepares what is missing, starts the processes and minds them."""

from __future__ import annotations

import os
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
from cdp.embedded.first_run import credentials_path, ensure_credentials
from cdp.embedded.postgres_commands import PostgresError
from cdp.embedded.preflight import troubles
from cdp.embedded.static_step import collect_static
from cdp.processes.children import beat, workers
from cdp.processes.supervisor import Child, Supervisor, say


class Command(BaseCommand):
    """Run PostgreSQL, web, worker, beat and the capture mailbox together."""

    help = "Run everything in one terminal: for a laptop or a trial, not for production."
    requires_system_checks: list[str] = []  # the database may not run yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address to listen on."""
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, start, wait for Ctrl-C, stop."""
        host = options["host"]
        ports = {"web": settings.PORT}
        if settings.CAPTURE_MAIL:
            ports["capture mailbox"] = settings.CAPTURE_SMTP_PORT
        found = troubles(host=host, ports=ports, var_dir=settings.VAR_DIR)
        if found:
            raise CommandError("\n".join(found))
        supervisor = Supervisor(
            children(host), folder=settings.BASE_DIR, environment={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        supervisor.stop_on_signals()
        try:
            credentials = prepare()
            self._serve(supervisor, credentials)
        finally:
            say("run", "stopping")
            connections.close_all()
            supervisor.stop()
            if settings.LOCAL:
                postgres.stop(settings.VAR_DIR)
            say("run", "stopped; the data are kept in " + str(settings.VAR_DIR))

    def _serve(self, supervisor: Supervisor, credentials: dict[str, Any]) -> None:
        shown = False
        while not supervisor.stopping.wait(0.2):
            supervisor.look()
            if not shown and answers():
                shown = True
                for line in welcome(credentials):
                    say("run", line)
                if settings.DEMO:
                    supervisor.add(Child("demo", [sys.executable, "manage.py", "demo"], once=True))


def prepare() -> dict[str, Any]:
    """Start the database, bring it up to date, collect static files, make the first users and keys."""
    try:
        if settings.LOCAL:
            say("run", "starting the embedded PostgreSQL")
            postgres.ensure_running(settings.VAR_DIR)
        say("run", "bringing the database up to date")
        call_command("migrate", interactive=False, verbosity=0)
        collect_static()
        return ensure_credentials()
    except PostgresError as error:
        raise CommandError(str(error)) from error
    except OperationalError as error:
        raise CommandError(f"The database of DATABASE_URL does not answer: {str(error).strip()}") from error
    except OSError as error:
        raise CommandError(f"{error.strerror or error}: {error.filename or settings.VAR_DIR}") from error


def children(host: str) -> list[Child]:
    """Return the processes to keep running, as they can also be run each alone."""
    python = sys.executable
    web = [python, "-m", "granian", "--interface", "asgi", "--host", host, "--port", str(settings.PORT), "--no-ws"]
    web += ["--workers", str(settings.WEB_WORKERS), "--respawn-failed-workers", "--workers-kill-timeout", "5"]
    found = [
        Child("web", [*web, "--log-level", "warning", "cdp.asgi:application"]),
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
    lines += [
        "",
        f"  browser key      {credentials['write_keys']['browser']}",
        f"  server key       {credentials['write_keys']['server']}",
        f"  API token        {credentials['api_token']}",
    ]
    if settings.CAPTURE_MAIL:
        lines.append(f"  captured mail    {settings.SITE_URL}/mailbox/")
    return [*lines, "", f"These are also in {credentials_path()}. Ctrl-C stops everything.", ""]
