"""The real web process on a free port, against the database of the test."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from django.conf import settings
from django.db import connection

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Site:
    """Where the site answers, and the environment for further processes (a worker, a command) on the same database."""

    url: str
    environment: dict[str, str]
    #: what the web process wrote so far
    log: Callable[[], str] = str


def free_port() -> int:
    """Return a port that nobody listens on just now: below those that the system hands out to clients."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def process_environment(port: int) -> dict[str, str]:
    """Return the environment that makes a process of ours use the test database and the secrets of the tests."""
    database = connection.settings_dict
    login = quote(database["USER"], safe="")
    if database["PASSWORD"]:
        login += ":" + quote(database["PASSWORD"], safe="")
    host = quote(database["HOST"] or "localhost", safe="") + (f":{database['PORT']}" if database["PORT"] else "")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"postgres://{login}@{host}/{database['NAME']}",
        "SECRET_KEY": settings.SECRET_KEY,
        "LINK_KEY": settings.LINK_KEY,
        "SUPPRESSION_KEY": settings.SUPPRESSION_KEY,
        "JOURNAL_DIR": str(settings.JOURNAL_DIR),
        "PORT": str(port),
        "SITE_URL": f"http://localhost:{port}",
        "LOG_JSON": "0",
    }


@contextmanager
def live_site(**variables: str) -> Iterator[Site]:
    """Start the web process, wait until it answers, and stop it at the end; `variables` go into its environment."""
    port = free_port()
    environment = {**process_environment(port), **variables}
    command = [sys.executable, "-m", "cdp.web", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile("w+") as log:
        site = Site(f"http://localhost:{port}", environment, log=lambda: _written(log))
        # A group of its own: a worker that outlives its parent is found and ended with it.
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_for(site.url + "/healthz", process, log)
            yield site
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: IO[str]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it answers, if only to say what is wrong
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the web process did not come up:\n{_written(log)}")


def _written(log: IO[str]) -> str:
    # The process writes at the same place of the file: read beside it, without moving that.
    return os.pread(log.fileno(), 10_000_000, 0).decode(errors="replace")


def chromium() -> str | None:
    """Return the machine's Chromium; None leaves the choice to Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)
