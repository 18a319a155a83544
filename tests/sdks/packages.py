"""The packages that the SDK tests run, beside those of the project's own locks: one old Python SDK, Go and Java.

`python -m tests.sdks.packages` installs what the machine has a toolchain for; tests install nothing and are skipped
with the word that is missing. The toolchains download by their own defaults, and keep all below the virtual
environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = Path(sys.prefix) / "sdks"
GO_ENVIRONMENT = {
    "GOMODCACHE": str(HOME / "go-modules"),
    "GOCACHE": str(HOME / "go-build"),
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "-mod=readonly -modcacherw",
}
INSTALL_SECONDS = 600


class NotThere(Exception):
    """A package cannot be run here; the text says why."""


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def old_python() -> Path:
    """Return the folder with analytics-python 1.4, which cannot live beside the newer SDKs' dependencies."""
    return HOME / f"python-{_digest(HERE / 'python' / 'requirements.txt')}"


def go_program(name: str) -> Path:
    """Return the built program of tests/sdks/go/<name>."""
    folder = HERE / "go"
    return HOME / f"go-{name}-{_digest(folder / 'go.sum', folder / name / 'main.go')}"


def java_folder(name: str) -> Path:
    """Return the folder with the jars and the compiled program of tests/sdks/java/<name>."""
    folder = HERE / "java" / name
    return HOME / f"java-{name}-{_digest(folder / 'pom.xml', folder / 'Exercise.java')}"


def needed(path: Path, tool: str) -> Path:
    """Return `path`; raise NotThere with the reason when it was not installed."""
    if path.exists():
        return path
    if shutil.which(tool) is None:
        raise NotThere(f"{tool} is not on this machine")
    raise NotThere(f"its packages are not installed: python -m tests.sdks.packages ({tool} is here)")


def _run(*command: str | Path, folder: Path = HERE, **environment: str) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise NotThere((done.stderr or done.stdout).strip()[-400:] or f"{command[0]} failed")


def _install_old_python() -> None:
    lock = HERE / "python" / "requirements.txt"
    half = old_python().with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    _run(
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--require-hashes", "--target", half, "-r", lock,
    )  # fmt: skip
    half.rename(old_python())


def _install_go(name: str) -> None:
    if shutil.which("go") is None:
        raise NotThere("go is not on this machine")
    _run("go", "build", "-o", go_program(name), f"./{name}", folder=HERE / "go", **GO_ENVIRONMENT)


def _install_java(name: str) -> None:
    for tool in ("mvn", "javac"):
        if shutil.which(tool) is None:
            raise NotThere(f"{tool} is not on this machine")
    half = java_folder(name).with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    _run(
        "mvn", "-B", "-q", f"-Dmaven.repo.local={HOME / 'maven'}", "dependency:copy-dependencies",
        f"-DoutputDirectory={half / 'jars'}", "-f", HERE / "java" / name / "pom.xml",
    )  # fmt: skip
    _run("javac", "-cp", f"{half / 'jars'}/*", "-d", half / "classes", HERE / "java" / name / "Exercise.java")
    half.rename(java_folder(name))


_STEPS: tuple[tuple[str, Callable[[], Path], Callable[[], None]], ...] = (
    ("analytics-python", old_python, _install_old_python),
    ("Segment for Go", lambda: go_program("segment"), lambda: _install_go("segment")),
    ("RudderStack for Go", lambda: go_program("rudderstack"), lambda: _install_go("rudderstack")),
    ("Segment for Java", lambda: java_folder("segment"), lambda: _install_java("segment")),
    ("RudderStack for Java", lambda: java_folder("rudderstack"), lambda: _install_java("rudderstack")),
)


def _remove_older(place: Path) -> None:
    for path in HOME.glob(place.name.rpartition("-")[0] + "-*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def main() -> int:
    """Install what can be installed; what cannot is said, and its tests are skipped."""
    HOME.mkdir(parents=True, exist_ok=True)
    for name, place, install in _STEPS:
        if place().exists():
            continue
        _remove_older(place())
        try:
            install()
        except (NotThere, OSError, subprocess.TimeoutExpired) as reason:
            sys.stderr.write(f"{name} is left out of the tests: {reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
