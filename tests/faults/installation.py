"""The whole product as `make run` starts it, in a folder and on ports of its own, for tests that break parts of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psutil
import psycopg

from cdp.embedded import postgres
from cdp.embedded.postgres_commands import Server
from cdp.processes.heartbeat_file import Sign, signs_in
from cdp.processes.ownership import end_marked, marked
from tests.faults.processes import REPOSITORY
from tests.live import free_port

T = TypeVar("T")
#: generous: nothing here measures speed, and machines of tests are slow
PATIENCE = 120.0
#: a silent process is replaced sooner than in production, so that the tests end
SILENT_SECONDS = 6.0
WORKERS = ("events", "segments", "imports", "sends", "upkeep")


def eventually(look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Return what `look` gives as soon as it is true; fail when that lasts longer than anybody would wait."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not come about in {seconds:.0f} s: {what}")
        time.sleep(0.1)


@dataclass
class Installation:
    """A running installation. It ends what it started, and nothing else."""

    var_dir: Path
    port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    marks: set[str] = field(default_factory=set)
    write_key: str = ""

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        """Return the file with all that it wrote."""
        return self.var_dir / "run.log"

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes: nothing of this shell's configuration."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        own = {
            "VAR_DIR": str(self.var_dir),
            "PORT": str(self.port),
            "CAPTURE_SMTP_PORT": str(self.smtp_port),
            "DEMO": "0",
            "SILENT_SECONDS": str(SILENT_SECONDS),
            "COLLECT_MIN_FREE_MB": "0",
        }
        return {**keep, **own, **self.variables}

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a management command beside it."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=REPOSITORY,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def start(self, **options: Any) -> None:
        """Start `manage.py run` in a session of its own."""
        self.var_dir.mkdir(exist_ok=True)
        with self.log_path.open("ab") as log:
            options = {"stdout": log, "stderr": subprocess.STDOUT, **options}
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run"],
                cwd=REPOSITORY,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                **options,
            )

    def wait_ready(self) -> None:
        """Wait until every part says that it is at work."""
        try:
            eventually(lambda: self.process_ended() or self.ready()["status"] == "ok", "every part is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.ready()}\n{self.log()[-3000:]}") from None
        assert not self.process_ended(), self.log()[-3000:]
        self.marks.add(self.owner()["mark"])

    def process_ended(self) -> bool:
        """Tell whether `manage.py run` is gone."""
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> int:
        """Ask `run` to end, as Ctrl-C does; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def clean_up(self) -> None:
        """End whatever is left, however the test went."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
        with contextlib.suppress(OSError, ValueError, KeyError):
            self.marks.add(self.owner()["mark"])
        for mark in self.marks:
            end_marked(mark)
        postgres.stop(self.var_dir)

    # What it says ------------------------------------------------------------------------------------------------
    def log(self) -> str:
        """Return all that it wrote so far."""
        return self.log_path.read_text(errors="replace")

    def owner(self) -> dict[str, Any]:
        """Return what the running one wrote about itself."""
        found: dict[str, Any] = json.loads((self.var_dir / "run" / "run.owner").read_text())
        return found

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; status 0 when nothing answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def ready(self) -> dict[str, Any]:
        """Return the body of /readyz; `{"status": "silent"}` when nothing answers."""
        _status, body = self.get("/readyz")
        try:
            found: dict[str, Any] = json.loads(body)
        except ValueError:
            return {"status": "silent"}
        return found

    # Its processes -----------------------------------------------------------------------------------------------
    def sign(self, name: str) -> Sign | None:
        """Return the sign of life of a process: events, beat, web."""
        return next((sign for sign in signs_in(self.var_dir) if sign.name == name), None)

    def pid(self, name: str) -> int:
        """Return the number of a process that shows signs of life."""
        return eventually(lambda: self.sign(name), f"a sign of {name}").pid

    def kill(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a process of this installation; return which it was."""
        pid = self.pid(name)
        assert pid in {process.pid for process in self.processes()}, "that is none of ours"
        os.kill(pid, number)
        return pid

    def wait_replaced(self, name: str, pid: int) -> int:
        """Wait until another process than `pid` shows signs under that name."""

        def other() -> Sign | None:
            sign = self.sign(name)
            return sign if sign is not None and sign.pid != pid else None

        return eventually(other, f"{name} is replaced").pid

    def processes(self) -> list[psutil.Process]:
        """Return every process that it started and still runs."""
        return [process for mark in self.marks for process in marked(mark)]

    # Its data ----------------------------------------------------------------------------------------------------
    @property
    def server(self) -> Server:
        """Return its embedded PostgreSQL."""
        return Server(self.var_dir, postgres.socket_dir(self.var_dir))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement on its database."""
        with psycopg.connect(postgres.database_url(self.var_dir), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def stored(self) -> int:
        """Return how many events of `collect` it has processed; -1 while the database is away."""
        try:
            return int(self.query("SELECT count(*) FROM profiles_interaction WHERE name = 'Tested'")[0][0])
        except psycopg.Error:
            return -1

    def collect(self, count: int = 1) -> list[str]:
        """Send events in one request, again and again until it says that it has them; return their ids."""
        ids = [str(uuid4()) for _number in range(count)]
        eventually(lambda: self._post(ids), "the collector accepts events")
        return ids

    def accepts(self, count: int = 1) -> bool:
        """Send events once; tell whether it said that it has them."""
        return self._post([str(uuid4()) for _number in range(count)])

    def _write_key(self) -> str:
        """Return the key of the tests' own source, made at the first call."""
        if not self.write_key:
            token = json.loads((self.var_dir / "credentials.json").read_text())["api_token"]
            request = urllib.request.Request(
                self.url + "/api/v1/sources/",
                json.dumps({"name": "Faults", "kind": "server"}).encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.write_key = str(json.load(answer)["write_key"])
        return self.write_key

    def _post(self, ids: list[str]) -> bool:
        batch = [{"type": "track", "userId": f"u-{one[:3]}", "event": "Tested", "messageId": one} for one in ids]
        try:
            key = b64encode(f"{self._write_key()}:".encode()).decode()
            request = urllib.request.Request(
                self.url + "/v1/batch",
                json.dumps({"batch": batch}).encode(),
                {"Authorization": f"Basic {key}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def installation(**variables: str) -> Iterator[Installation]:
    """Give an installation that is not started yet; end and remove all of it at the end."""
    # A short path below the system's folder: PostgreSQL's own user must be able to pass all of it.
    with tempfile.TemporaryDirectory(prefix="kb-faults-") as folder:
        found = Installation(Path(folder) / "var", variables=variables)
        try:
            yield found
        finally:
            found.clean_up()


@contextmanager
def running_installation(**variables: str) -> Iterator[Installation]:
    """Give an installation of which every part is at work."""
    with installation(**variables) as found:
        found.start()
        found.wait_ready()
        yield found
