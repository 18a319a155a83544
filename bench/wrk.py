"""The load of `wrk`, where it is installed: written in C, it leaves the processors to what is measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("single.lua")
SECONDS = 8


@dataclass(frozen=True)
class WrkResult:
    """What wrk saw. `p99` is in seconds."""

    requests: int
    failed: int
    seconds: float
    p99: float

    @property
    def per_second(self) -> float:
        """Return requests answered with 200 per second."""
        return (self.requests - self.failed) / self.seconds


def installed() -> bool:
    """Tell whether wrk can be used."""
    return shutil.which("wrk") is not None


def post_singles(*, port: int, path: str, authorization: str, connections: int, seconds: int = SECONDS) -> WrkResult:
    """POST one event a request for some seconds over kept-alive connections, and return what wrk saw."""
    answer = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}{path}"],
        env={**os.environ, "AUTHORIZATION": authorization, "RUN": uuid.uuid4().hex},
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    ).stdout
    fields = next(line for line in answer.splitlines() if line.startswith("RESULT")).split()[1:]
    return WrkResult(int(fields[0]), int(fields[1]), float(fields[2]), float(fields[3]))
