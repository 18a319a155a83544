"""The whole product as it runs for its users: web, worker, beat and the capture mailbox, on the test database."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import httpx
from django.contrib.auth.models import Group, User

from cdp.common.models import ApiToken
from cdp.mailbox.store import MailStore
from tests.live import REPOSITORY, Site, free_port, live_site

T = TypeVar("T")
#: generous: nothing here measures time, and machines of tests are slow
PATIENCE = 150.0
STOP_SECONDS = 20


@dataclass
class Installation:
    """A running installation, and what a test asks of it."""

    site: Site
    mail: MailStore

    @property
    def url(self) -> str:
        """Return where it answers."""
        return self.site.url

    def api(self, role: str = "Administrator") -> httpx.Client:
        """Return a client of the REST API with a token of that role."""
        _row, token = ApiToken.issue(user=user_of(role), name="integration")
        return httpx.Client(
            base_url=self.url + "/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )

    def mails_to(self, address: str) -> list[EmailMessage]:
        """Return the captured mails to an address, oldest first."""
        found = [self.mail.message(mail.name) for mail in reversed(self.mail.newest(text=address, limit=500))]
        return [mail for mail in found if mail is not None]


def user_of(role: str) -> User:
    """Return the user of a role, made as `make run` makes them; make one if there is none."""
    username = role.lower().replace(" ", "_")
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(username, f"{username}@klantbeeld.example", "correct horse battery")
        user.is_staff = True
        user.save(update_fields=["is_staff"])
        user.groups.add(Group.objects.get(name=role))
    return user


def eventually(look: Callable[[], T | None], what: str) -> T:
    """Return what `look` gives as soon as it is true; fail when that lasts longer than anybody would wait."""
    end = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not come about: {what}")
        time.sleep(0.1)


@contextmanager
def running_installation(folder: Path) -> Iterator[Installation]:
    """Start every process on the test database; stop them all at the end."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell of every look at a page
    smtp_port = free_port()
    variables = {
        "VAR_DIR": str(folder),
        # With the journal of an earlier run this database would count as one put back from a backup.
        "JOURNAL_DIR": str(folder / "journal"),
        "CELERY_BROKER_URL": "pgmq://",
        "CAPTURE_SMTP_PORT": str(smtp_port),
        "EMAIL_URL": "",
        "SENDER_IDENTITY": "Fiets & Bos, Oudegracht 1, 3511 AA Utrecht",
    }
    with ExitStack() as stack:
        site = stack.enter_context(live_site(**variables))
        # The queue of the broker and the rows of beat are made after every migrate.
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=REPOSITORY,
            env=site.environment,
            check=True,
            timeout=120,
        )
        mailbox = folder / "mailbox"
        celery = [sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "cdp"]
        for command in (
            [sys.executable, "-m", "cdp.mailbox.server", "--port", str(smtp_port), "--folder", str(mailbox)],
            [*celery, "worker", "--loglevel", "WARNING"],
            [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""],
        ):
            stack.enter_context(running(command, site.environment))
        installation = Installation(site=site, mail=MailStore(mailbox))
        eventually(lambda: httpx.get(site.url + "/readyz", trust_env=False).status_code == 200, "every part is ready")
        yield installation
        assert "Traceback" not in site.log(), f"the web process met something unexpected:\n{site.log()}"


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a process of ours; at the end it must still have been alive, and must go when asked."""
    with tempfile.TemporaryFile("w+") as log:
        process: subprocess.Popen[Any] = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
            assert process.poll() is None, f"{command} died:\n{_said(log)}"
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _said(log: Any) -> str:
    return os.pread(log.fileno(), 10_000_000, 0).decode(errors="replace")
