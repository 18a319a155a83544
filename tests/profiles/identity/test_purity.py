"""The rules of identity run in a bare interpreter: no Django, no database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import profiles.identity.graph, profiles.identity.junk, profiles.identity.traits
import profiles.messages.cutting, profiles.messages.reading
assert not [name for name in sys.modules if name.split(".")[0] in ("django", "psycopg", "celery")]
"""


def test_no_framework_comes_along() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, cwd=Path(__file__).parents[3])
