"""What the collector needs to know of its surroundings; `cdp.asgi` fills it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _no_wake() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class CollectorConfig:
    """Settings of one collector."""

    dsn: str  # libpq connection string
    site_url: str  # scheme and host that SDKs are pointed at
    allowed_hosts: tuple[str, ...] = ()  # other hosts under which settings may be asked
    truncate_ip: bool = True
    events_per_second: int = 100_000  # per key and process; 0: no limit
    watched_dir: Path | None = None  # its disk is watched: a full one stops PostgreSQL
    min_free_bytes: int = 512 * 1024 * 1024
    bundle_dir: Path | None = None  # the browser SDK as built by its makers
    wake: Callable[[], None] = _no_wake  # tells the processor that work is waiting
