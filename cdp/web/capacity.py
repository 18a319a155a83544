"""How many connections a web process may have: as many as it has file numbers for, up to a limit."""

from __future__ import annotations

import resource

MAX_CONNECTIONS = 4000
#: files beside the connections: the database's, spooled exports, uploads
OTHER_FILES = 500


def connections() -> int:
    """Let this process and its children have the files that they need; return how many connections those allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(100, min(MAX_CONNECTIONS, wanted - OTHER_FILES))
