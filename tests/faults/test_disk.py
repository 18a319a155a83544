"""The disk fills up: refused rather than lost, said aloud, and well again without a person when there is room.

Covers E3, F11 (readiness with a full disk), F17 (PostgreSQL that stopped by itself). Needs the right to mount a tmpfs.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import Installation, eventually

pytestmark = pytest.mark.long
SIZE_MB, WATERMARK_MB = 1700, 64


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kb-disk-") as folder:
        os.chmod(folder, 0o755)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no right to mount a small disk here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def product(small_disk: Path) -> Iterator[Installation]:
    found = Installation(small_disk / "var", variables={"COLLECT_MIN_FREE_MB": str(WATERMARK_MB)})
    try:
        yield found
    finally:
        (small_disk / "ballast").unlink(missing_ok=True)
        found.clean_up()


def fill(ballast: Path, leave_mb: int) -> None:
    """Take all of the disk but so many MB."""
    free = os.statvfs(ballast.parent).f_bavail * os.statvfs(ballast.parent).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - leave_mb * 2**20))


def test_below_the_watermark_events_are_refused_and_readiness_says_why(product: Installation, small_disk: Path) -> None:
    product.start()
    product.wait_ready()
    product.collect(10)
    fill(small_disk / "ballast", WATERMARK_MB // 2)
    eventually(lambda: "disk" in product.ready().get("down", []), "readiness names the disk", 60)
    accepted = 10
    end = time.monotonic() + 60
    while product.accepts():  # it looks at the disk every few seconds
        accepted += 1
        assert time.monotonic() < end, "the collector refuses nothing"
    (small_disk / "ballast").unlink()
    product.collect(10)
    product.wait_ready()
    eventually(lambda: product.stored() == accepted + 10, "all that was accepted is processed")


def test_a_full_disk_stops_postgresql_and_room_brings_all_back(product: Installation, small_disk: Path) -> None:
    product.variables["COLLECT_MIN_FREE_MB"] = "0"  # nobody refuses in time
    product.start()
    product.wait_ready()
    accepted = 10
    product.collect(10)
    fill(small_disk / "ballast", 1)
    for _try in range(400):
        if not product.accepts(100):
            break
        accepted += 100
    else:
        pytest.fail("the disk never filled up")
    assert product.ready()["status"] != "ok" or eventually(
        lambda: product.ready()["status"] != "ok", "readiness sees it", 60
    )
    (small_disk / "ballast").unlink()
    product.wait_ready()
    product.collect(10)
    eventually(lambda: product.stored() == accepted + 10, "all that was accepted is processed, no more and no less")
