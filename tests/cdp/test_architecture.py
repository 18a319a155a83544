"""The arrows between the parts, as the checker sees them and as a bare interpreter feels them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

BARE = """
import importlib, pkgutil, sys
for name in ("django", "psycopg", "celery", "rest_framework"):
    sys.modules[name] = None  # importing it now fails
package = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(package.__path__, sys.argv[1] + "."):
    importlib.import_module(found.name)
"""


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_migrations_go_without_the_code_of_the_apps() -> None:
    """What a migration does must not change when the code does."""
    apps, found = ("cdp", "profiles", "consent", "segments", "campaigns"), []
    for path in (path for app in apps for path in (REPOSITORY / app).rglob("migrations/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: {name}" for name in names if name.split(".")[0] in apps]
    assert found == []


@pytest.mark.parametrize("package", ["segments.rules", "profiles.identity", "consent.policy"])
def test_decisions_run_in_a_bare_interpreter(package: str) -> None:
    done = subprocess.run([sys.executable, "-c", BARE, package], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
