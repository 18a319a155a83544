"""The site under attack: what people and SDKs wait meanwhile, and what it costs the web process.

For a comparison with another commit, copy `attacks.py`, `attackers.py` and `hostile.py` into a checkout of it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from bench.dataset import BASE_DIR, running_web
from bench.figures import Figure

SECONDS = 12.0
PATIENCE = 10.0
LARGE_FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
PEOPLE = 50_000


@dataclass
class Probe:
    """One address that should answer, and how long it took each time; what did not answer took PATIENCE."""

    name: str
    request: urllib.request.Request
    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def ask(self) -> None:
        """Ask once."""
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(self.request, timeout=PATIENCE) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            self.failed += error.code >= 500 and self.name != "readyz"
        except OSError:
            self.failed += 1
        self.seconds.append(time.perf_counter() - began)

    @property
    def worst(self) -> str:
        """Return the longest time, and how many were not answered."""
        text = f"{max(self.seconds):.2f}"
        return f"{text} ({self.failed}/{len(self.seconds)} failed)" if self.failed else text


def probes(port: int, *, cookie: str, token: str, key: str) -> list[Probe]:
    """Return what must answer: pages with and without a login, an unsubscribe link, readiness, the collector."""
    site = f"http://127.0.0.1:{port}"
    basic = "Basic " + b64encode(f"{key}:".encode()).decode()
    event = b'{"userId":"probe","event":"Seen","type":"track"}'
    return [
        Probe("page", urllib.request.Request(site + "/sources/", headers={"Cookie": cookie})),
        Probe("login", urllib.request.Request(site + "/login/")),
        Probe("unsubscribe", urllib.request.Request(f"{site}/u/{token}/")),
        Probe("static", urllib.request.Request(site + "/static/css/tokens.css")),
        Probe("readyz", urllib.request.Request(site + "/readyz")),
        Probe("collector", urllib.request.Request(site + "/v1/track", event, {"Authorization": basic})),
    ]


@contextmanager
def attacked(name: str, port: int, connections: int, path: str = "/", *headers: str) -> Iterator[None]:
    """Have a process of its own attack for as long as the block lasts."""
    command = [sys.executable, "-m", "bench.attackers", name, str(port), str(connections), path, *headers]
    attacker = subprocess.Popen(command, cwd=BASE_DIR, stderr=subprocess.DEVNULL)
    try:
        yield
        assert attacker.poll() is None, "the attacker gave up"
    finally:
        attacker.kill()
        attacker.wait()


def memory(pid: int) -> int:
    """Return what a process and its children hold of their own, in bytes."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for process in [main := psutil.Process(pid), *main.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def watch(found: list[Probe], pid: int, seconds: float) -> tuple[int, int]:
    """Ask all addresses for some seconds; return the memory at the beginning and the most of it."""
    before = most = memory(pid)
    end = time.monotonic() + seconds

    def ask(probe: Probe) -> None:
        while time.monotonic() < end:
            probe.ask()
            time.sleep(0.2)

    threads = [threading.Thread(target=ask, args=(probe,)) for probe in found]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, memory(pid))
        time.sleep(0.1)
    return before, most


def attacks(cookie: str, key: str) -> list[tuple[str, tuple[str, int, str, str]]]:
    """Return the attacks: what they are called, and how they are made."""
    session = f"Cookie: {cookie}"
    # With a token Django reads the form, without one it does not look at it.
    form = f"Cookie: csrftoken={'a' * 32}"
    basic = "Authorization: Basic " + b64encode(f"{key}:".encode()).decode()
    return [
        ("500 idle connections", ("idle", 500, "/", "")),
        ("500 slow headers", ("slow_headers", 500, "/login/", "")),
        ("300 slow bodies to /login/", ("slow_body", 300, "/login/", form)),
        ("300 slow bodies to the collector, no key", ("slow_body", 300, "/v1/batch", "")),
        ("150 half bodies to the collector, no key", ("half_body", 150, "/v1/batch", "")),
        ("300 slow readers of a page", ("slow_reader", 300, "/login/", "")),
        ("300 slow readers of a static file", ("slow_reader", 300, LARGE_FILE, "")),
        ("40 slow readers of an export", ("slow_reader", 40, "/people/?export=csv", session)),
        ("20 uploads of 400 MB to /login/", ("upload", 20, "/login/", form)),
        ("20 senders of hostile bodies, no key", ("hostile", 20, "/v1/batch", "")),
        ("20 senders of hostile bodies, a public key", ("hostile", 20, "/v1/batch", basic)),
    ]


def measure() -> Iterator[Figure]:
    """Yield, for each attack, the longest that anybody waited; the whole table is printed."""
    from django.utils import timezone

    from cdp.embedded.static_step import collect_static
    from consent.links import make_token
    from profiles.models import Profile
    from profiles.services.sources import create_source

    collect_static()
    Profile.objects.bulk_create(
        (
            Profile(display_name=f"Anna {number}", email=f"a{number}@shop.example", first_seen_at=timezone.now())
            for number in range(PEOPLE)
        ),
        batch_size=5000,
    )
    _source, public = create_source(name="Attacked shop", kind="browser")
    _source, secret = create_source(name="Attacked till", kind="server")
    token = make_token(profile_id=1, purpose_id=1, channel="email", reference="delivery:1:1")
    cookie = _session()
    lines = []
    for title, attack in attacks(cookie, public):
        name, connections, path, header = attack
        with running_web() as port:
            pid = _owner(port)
            found = probes(port, cookie=cookie, token=token, key=secret)
            for probe in found:
                probe.ask()
                probe.seconds.clear()
                probe.failed = 0
            with attacked(name, port, connections, path, *filter(None, [header])):
                time.sleep(1)
                before, most = watch(found, pid, SECONDS)
        grown = (most - before) / 2**20
        lines.append(f"{title:45}" + "".join(f"  {probe.name} {probe.worst}" for probe in found) + f"  +{grown:.0f} MB")
        print(lines[-1], flush=True)
        yield Figure(
            what=f"attack: {title}",
            value=max(max(probe.seconds) for probe in found),
            unit="s, longest wait",
            budget=5,
            lower_is_better=True,
            note=f"{sum(probe.failed for probe in found)} not answered; +{grown:.0f} MB",
        )


def _session() -> str:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    user = User.objects.create_superuser("attacked", "attacked@klantbeeld.example", os.urandom(12).hex())
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _owner(port: int) -> int:
    """Return the process that listens on a port: the server's main one."""
    owners = {  # a listening socket has an address
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid
    }
    return min(owners)
