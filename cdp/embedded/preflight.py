"""What must be true before a start; each failure is one sentence with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from cdp.processes.ownership import listener_of

OLDEST_PYTHON = (3, 11)
SPACE_NEEDED = 1024 * 1024 * 1024


def troubles(*, host: str, ports: dict[str, int], var_dir: Path) -> list[str]:
    """Return what stands in the way of a start; empty when nothing does. `ports` names each port that is needed."""
    found = [trouble for trouble in (_python(), _folder(var_dir)) if trouble]
    found += [trouble for name, port in ports.items() if (trouble := _port(host, port, name))]
    return found


def _python() -> str:
    if sys.version_info >= OLDEST_PYTHON:
        return ""
    wanted = ".".join(str(part) for part in OLDEST_PYTHON)
    return f"Python {sys.version.split()[0]} is too old: use {wanted} or newer (make run PYTHON=python{wanted})."


def _folder(var_dir: Path) -> str:
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"Cannot make {var_dir}: {error.strerror}. Set VAR_DIR to a folder that this user may write."
    if not os.access(var_dir, os.W_OK | os.X_OK):
        return f"Cannot write in {var_dir}. Set VAR_DIR to a folder that this user may write."
    free = shutil.disk_usage(var_dir).free
    if free < SPACE_NEEDED:
        return (
            f"The disk of {var_dir} has {free // 2**20} MB free; {SPACE_NEEDED // 2**20} MB are needed. "
            "Free some space, or set VAR_DIR to a folder on another disk."
        )
    return ""


def _port(host: str, port: int, name: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are only winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return f"This user may not listen on port {port} ({name}). Choose one above 1023: make run PORT=8000"
        except (OSError, OverflowError) as error:
            who = listener_of(port)
            return (
                f"Port {port} ({name}) cannot be had: {getattr(error, 'strerror', None) or error}. "
                f"End the program that listens there ({who or 'perhaps another `make run`'}), "
                "or choose another port: make run PORT=8001"
            )
    return ""
