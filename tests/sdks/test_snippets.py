"""The lines for servers that the page of a source shows, run as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from profiles.models import Identifier, Interaction
from profiles.views.snippets import _FOR_SERVER
from tests.live import REPOSITORY, Site
from tests.sdks.packages import GO_ENVIRONMENT, HERE, NotThere, go_program, java_folder, needed, old_python
from tests.sdks.setups import events_received, lines_of_page

pytestmark = pytest.mark.django_db(transaction=True)
Way = Callable[[str, Path], subprocess.CompletedProcess[str]]


def _run(*command: str | Path, folder: Path = REPOSITORY, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    variables = {**os.environ, **environment}
    return subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=90, check=False)


def _python(code: str, folder: Path, packages: str = "") -> subprocess.CompletedProcess[str]:
    return _run(sys.executable, "-c", code, PYTHONPATH=packages)


def _old_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return _python(code, folder, str(needed(old_python(), "pip")))


def _node(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("node") is None:
        raise NotThere("node is not on this machine")
    return _run("node", "--input-type=module", "-e", code)


def _go(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    needed(go_program("segment"), "go")
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, folder / name)
    (folder / "main.go").write_text(code, encoding="utf-8")
    return _run("go", "run", ".", folder=folder, **{**GO_ENVIRONMENT, "GOPROXY": "off"})


def _java(name: str) -> Way:
    def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
        jars = needed(java_folder(name), "mvn") / "jars"
        (folder / "Main.java").write_text(code, encoding="utf-8")
        return _run("java", "-XX:TieredStopAtLevel=1", "-cp", jars / "*", folder / "Main.java")

    return run


def _shell(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("curl") is None:
        raise NotThere("curl is not on this machine")
    return _run("sh", "-ec", code)


WAYS: dict[str, Way] = {
    "curl": _shell,
    "python": _python,
    "node": _node,
    "go": _go,
    "java": _java("segment"),
    "rudder-python": _python,
    "rudder-node": _node,
    "rudder-go": _go,
    "rudder-java": _java("rudderstack"),
    "analytics-python": _old_python,
}


def test_each_has_a_test_that_runs_it() -> None:
    assert set(WAYS) == {slug for slug, _title, _note in _FOR_SERVER}


def test_the_lines_of_the_page_run_as_they_are(
    site: Site, client_as: Callable[[str], Client], settings: Any, tmp_path: Path
) -> None:
    lines = lines_of_page(client_as, settings, site, "server")
    assert set(lines) == set(WAYS)
    left_out = {}
    for slug, run in WAYS.items():
        folder = tmp_path / slug
        folder.mkdir()
        before = len(events_received())
        try:
            done = run(lines[slug], folder)
        except NotThere as reason:
            left_out[slug] = str(reason)
            continue
        assert done.returncode == 0, f"{slug}: {done.stderr}"
        kinds = [event.get("type") or event["endpoint"] for event in events_received()[before:]]
        assert sorted(kinds) == (["track"] if slug == "curl" else ["identify", "track"]), slug
    person = Identifier.objects.get(kind="user_id", value="user-1").profile_id
    assert Identifier.objects.get(kind="email").profile_id == person
    assert set(Interaction.objects.values_list("profile_id", flat=True)) == {person}
    if left_out:
        pytest.skip(f"the others ran; left out: {left_out}")
