"""`python -m cdp.web`: the web process with the options that it needs, wherever it is started.

Every other option of the server can be given behind, e.g. `python -m cdp.web --host 0.0.0.0 --workers 2`.
"""

from __future__ import annotations

import os
import resource
import sys

#: connections in all; idle ones end by the header's time-out, so that hundreds of them take no other's place
MAX_CONNECTIONS = 4000
#: files beside the connections: the database's, spooled exports, uploads
OTHER_FILES = 500


def command(*options: str, connections: int = MAX_CONNECTIONS) -> list[str]:
    """Return the server's command line."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws"),
        # HTTP/2 without TLS is spoken by nobody but attackers: its streams know no time-outs here.
        *("--http", "1"),
        # Also how long a kept connection may be silent.
        *("--http1-header-read-timeout", "15000"),
        # What a connection may hold in memory, each way.
        *("--http1-buffer-size", "65536"),
        *("--backlog", "2048", "--backpressure", str(connections), "--workers-kill-timeout", "10"),
        *options,
        "cdp.asgi:application",
    ]


def allow_files() -> int:
    """Let this process and its children have as many files as they may; return how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(100, min(MAX_CONNECTIONS, wanted - OTHER_FILES))


if __name__ == "__main__":
    line = command(*sys.argv[1:], connections=allow_files())
    os.execv(line[0], line)  # noqa: S606 - our own interpreter
