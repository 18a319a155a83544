"""The embedded PostgreSQL: where its data and socket are. Plain Python: settings read the URL before Django starts."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from urllib.parse import quote

DATABASE = "klantbeeld"


def socket_dir(var_dir: Path) -> Path:
    """Return the folder of the server's socket: short (a socket path holds 107 bytes) and one per VAR_DIR."""
    digest = hashlib.sha256(str(var_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"klantbeeld-{digest}"


def database_url(var_dir: Path, database: str = DATABASE) -> str:
    """Return the URL of the embedded server's database."""
    return f"postgres://postgres@{quote(str(socket_dir(var_dir)), safe='')}/{database}"
