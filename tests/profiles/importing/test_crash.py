"""A worker is killed in the midst of an import; another goes on at once. No row twice, none lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from profiles.importing import services as service
from profiles.importing.runner import run_imports
from profiles.models import Identifier, Import, ImportRow, Profile
from profiles.models.imports import ImportState
from tests.live import REPOSITORY, process_environment
from tests.profiles.importing.helpers import upload

pytestmark = pytest.mark.django_db(transaction=True)

#: small blocks and a breath after each renewal, so that the kill finds the worker in the midst of its work
WORKER = """
import time
import django
django.setup()
from profiles.importing import commit, dryrun, runner
runner.BLOCK = {block}
dryrun.BLOCK = {block}
for module in (commit, runner):
    def renew(*args, _inner=module.renew, **fields):
        _inner(*args, **fields)
        time.sleep({breath})
    module.renew = renew
runner.run_imports(600)
"""


def _kill_midway(job: Import, *, state: str, rows: int, block: int = 200, breath: float = 0.05) -> int:
    """Run a worker until the import has come so far, kill it; return how far it came."""
    code = WORKER.format(block=block, breath=breath)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, env=process_environment(8230))
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        now = Import.objects.values("state", "rows_done").get(pk=job.pk)
        if now["state"] != state or now["rows_done"] >= rows:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    job.refresh_from_db()
    assert job.state == state and job.rows_done >= rows, (job.state, job.rows_done, job.error_code)
    return job.rows_done


def _file(rows: int, *, delimiter: str = ",", bad_every: int = 0) -> tuple[str, int]:
    """Return a file and how many of its rows cannot be used."""
    lines, bad = [delimiter.join(("email", "name", "user_id")) + "\n"], 0
    for number in range(rows):
        cells = [f"p{number}@example.org", f"Zoë {number}", f"K{number}"]
        if bad_every and number % bad_every == 0:
            bad += 1
            kind = number // bad_every % 3
            cells = [[*cells[:2], "null"], cells[:2], [cells[0], '"' + cells[1], cells[2]]][kind]
        lines.append(delimiter.join(cells) + "\n")
    return "".join(lines), bad


def _assert_whole(job: Import, rows: int, bad: int) -> None:
    job.refresh_from_db()
    assert job.state == ImportState.DONE, job.error_code
    outcomes = job.counts["outcomes"]
    assert sum(outcomes.values()) == ImportRow.objects.filter(import_id=job.pk).count() == job.rows_total == rows
    assert (outcomes["created"], outcomes["rejected"]) == (rows - bad, bad)
    rejected = ImportRow.objects.filter(import_id=job.pk, outcome="rejected")
    assert all(row.line and row.reason and row.cells for row in rejected)
    assert Profile.objects.count() == rows - bad
    assert Identifier.objects.count() == 2 * (rows - bad)
    made = ImportRow.objects.filter(import_id=job.pk, outcome="created").values_list("profile_id", flat=True)
    assert set(made) == set(Profile.objects.values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ";"), ("utf-8-sig", "\t"), ("utf-16", ";"), ("cp1252", "\t")]
)
def test_an_import_survives_kills_in_dry_run_and_commit(encoding: str, delimiter: str) -> None:
    rows = 2_000
    text, bad = _file(rows, delimiter=delimiter, bad_every=33)
    job = upload(text.encode(encoding))
    assert job.delimiter == delimiter
    service.start_check(import_id=job.pk, mapping=job.mapping)
    _kill_midway(job, state=ImportState.CHECKING, rows=600)
    assert Profile.objects.count() == 0
    run_imports()
    service.confirm_import(import_id=job.pk, actor=None)
    came = _kill_midway(job, state=ImportState.RUNNING, rows=400)
    assert Profile.objects.count() == came < rows - bad
    assert _kill_midway(job, state=ImportState.RUNNING, rows=came + 200) > came
    run_imports()
    _assert_whole(job, rows, bad)
