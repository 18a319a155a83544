"""Secrets of a local installation: made once, kept below VAR_DIR, readable by the owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_or_make_secret(var_dir: Path, name: str) -> str:
    """Return the secret in `var_dir/secrets/name`; make it on first use.

    The file is created with O_EXCL and mode 0600, so that two processes that start together agree on one value.
    """
    folder = var_dir / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value := secrets.token_urlsafe(48))
    return value
