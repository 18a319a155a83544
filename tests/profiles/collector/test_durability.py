"""Invariant 1: a 200 means that the events survive `kill -9` of the web process and of PostgreSQL, under load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from cdp.embedded import postgres
from cdp.embedded.postgres_commands import PostgresError
from profiles.collector.keys import digest_of
from tests.live import REPOSITORY, free_port

KEY = "kb_sec_durability"
SENDERS = 6
#: seconds of load before, between and after the kills; bounds of the test, not assertions
PHASE = 1.5


@dataclass
class Installation:
    """A web process and a PostgreSQL of its own, which may be killed without hurting other tests."""

    var_dir: Path
    port: int
    web: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        sockets = str(postgres.socket_dir(self.var_dir))
        return psycopg.connect(host=sockets, user="postgres", dbname=postgres.DATABASE, autocommit=True)

    def start_web(self) -> None:
        command = [sys.executable, "-m", "cdp.web", "--host", "127.0.0.1", "--port", str(self.port)]
        self.web = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_it_stores(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if (
                    httpx.post(
                        f"{self.url}/v1/track",
                        json={"userId": "u"},
                        auth=(KEY, ""),
                        timeout=5,
                    ).status_code
                    == 200
                ):
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError("the web process did not come up")

    def kill_web(self) -> None:
        assert self.web is not None
        os.killpg(self.web.pid, signal.SIGKILL)
        self.web.wait()

    def kill_postgres(self) -> None:
        pid = int((self.var_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        with self.connect() as connection:
            backends = [int(str(row[0])) for row in connection.execute("SELECT pid FROM pg_stat_activity")]
        for victim in [pid, *backends]:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        end = time.monotonic() + 30
        while True:  # the old server's children take a moment to go
            try:
                postgres.ensure_running(self.var_dir)
                return
            except PostgresError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    tmp_path = tmp_path_factory.mktemp("durability")
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "SITE_URL")}
    environment |= {
        "VAR_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "COLLECT_MIN_FREE_MB": "0",
    }
    one = Installation(tmp_path, free_port(), environment=environment)
    postgres.ensure_running(tmp_path)
    try:
        subprocess.run(
            [
                sys.executable,
                "manage.py",
                "migrate",
                "-v",
                "0",
            ],
            cwd=REPOSITORY,
            env=environment,
            check=True,
        )
        with one.connect() as connection:
            connection.execute(
                "UPDATE profiles_source SET kind = 'server', key_digest = %s WHERE slug = 'manual'",
                [digest_of(KEY)],
            )
        yield one
    finally:
        postgres.stop(tmp_path)


@pytest.fixture
def installation(database: Installation) -> Iterator[Installation]:
    database.start_web()
    try:
        database.wait_until_it_stores()
        yield database
    finally:
        if database.web is not None and database.web.poll() is None:
            database.kill_web()


class Load:
    """Senders that note which message ids were answered 200, and in which phase."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.phase = 0
        self.confirmed: dict[str, int] = {}
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]

    def _send(self, sender: int) -> None:
        count = 0
        with httpx.Client(base_url=self.url, auth=(KEY, ""), timeout=10) as client:
            while not self.ended.is_set():
                count += 1
                ids = [f"{sender}-{count}-{number}" for number in range(20 if sender % 2 else 1)]
                events = [
                    {
                        "type": "track",
                        "event": "E",
                        "userId": "u",
                        "messageId": message_id,
                    }
                    for message_id in ids
                ]
                try:
                    answer = client.post("/v1/batch", json={"batch": events})
                except httpx.HTTPError:
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    self.confirmed.update(dict.fromkeys(ids, self.phase))
                else:
                    assert answer.status_code == 503, answer.text
                    time.sleep(0.02)


def stored_ids(installation: Installation) -> set[str]:
    found: set[str] = set()
    with installation.connect() as connection:
        bodies = connection.execute(
            "SELECT body FROM profiles_rawmessage JOIN profiles_inbox ON raw_id = id"  # both, or it is not accepted
        )
        for (body,) in bodies:
            found.update(event["messageId"] for event in json.loads(bytes(body)).get("batch", []))  # type: ignore[call-overload]  # bytea
    return found


def test_what_was_answered_200_is_there_after_every_process_was_killed(
    installation: Installation,
) -> None:
    load = Load(installation.url)
    for thread in load.threads:
        thread.start()
    try:
        time.sleep(PHASE)
        load.phase = 1
        installation.kill_web()
        installation.start_web()
        installation.wait_until_it_stores()
        time.sleep(PHASE)
        load.phase = 2
        installation.kill_postgres()
        installation.wait_until_it_stores()
        time.sleep(PHASE)
    finally:
        load.ended.set()
        for thread in load.threads:
            thread.join()
    installation.kill_web()
    installation.kill_postgres()
    lost = set(load.confirmed) - stored_ids(installation)
    assert not lost
    assert {load.confirmed[message_id] for message_id in load.confirmed} == {0, 1, 2}, "it went on after each kill"


def test_a_web_process_that_is_asked_to_stop_finishes_what_it_has(
    installation: Installation,
) -> None:
    load = Load(installation.url)
    for thread in load.threads:
        thread.start()
    time.sleep(PHASE / 2)
    assert installation.web is not None
    installation.web.terminate()
    installation.web.wait(timeout=20)
    load.ended.set()
    for thread in load.threads:
        thread.join()
    assert load.confirmed
    assert not set(load.confirmed) - stored_ids(installation)
