"""Secrets of a local installation: made once, kept below VAR_DIR, readable by the owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def read_or_make_secret(var_dir: Path, name: str) -> str:
    """Return the secret in `var_dir/secrets/name`; make it on first use.

    Two processes that start together agree on one value, and neither ever reads half of it.
    """
    folder = var_dir / "secrets"
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = folder / f".{name}.{os.getpid()}"
        write_private(own, secrets.token_urlsafe(48))
        # A link is made whole or not at all, and never over one that is there: the first process wins.
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    return path.read_text(encoding="ascii").strip()


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file that only its owner can read, from the first byte on; replace an older one at once."""
    fresh = path.with_name(f"{path.name}.new{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
