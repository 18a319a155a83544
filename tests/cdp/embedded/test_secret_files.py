"""Secrets of a local installation."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cdp.embedded.secret_files import read_or_make_secret, write_private


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = read_or_make_secret(tmp_path, "key")
    assert len(first) >= 48
    assert read_or_make_secret(tmp_path, "key") == first
    assert stat.S_IMODE((tmp_path / "secrets" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert [file.name for file in (tmp_path / "secrets").iterdir()] == ["key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, pathlib; from cdp.embedded.secret_files import read_or_make_secret as r;"
    code += "print(r(pathlib.Path(sys.argv[1]), 'key'))"

    def start(_number: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout

    with ThreadPoolExecutor(6) as pool:
        values = set(pool.map(start, range(6)))
    assert len(values) == 1
    assert len(values.pop().strip()) >= 48


def test_a_private_file_replaces_an_open_one(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
