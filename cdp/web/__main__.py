"""`python -m cdp.web`: the web process with the options that it needs, wherever it is started.

Every other option of the server can be given behind, e.g. `python -m cdp.web --host 0.0.0.0 --workers 2`.
"""

from __future__ import annotations

import os
import sys

from cdp.web.capacity import connections


def command(*options: str) -> list[str]:
    """Return the server's command line."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws"),
        # HTTP/2 without TLS is spoken by nobody but attackers: its streams know no time-outs here.
        *("--http", "1"),
        # Also how long a kept connection may be silent.
        *("--http1-header-read-timeout", "15000"),
        # What a connection may hold in memory, each way.
        *("--http1-buffer-size", "65536"),
        *("--backlog", "2048", "--backpressure", str(connections()), "--workers-kill-timeout", "10"),
        *options,
        "cdp.asgi:application",
    ]


if __name__ == "__main__":
    line = command(*sys.argv[1:])
    os.execv(line[0], line)  # noqa: S606 - our own interpreter
