"""The makers of clients, in an environment of their own: what they pin fits neither each other's users nor ours.

`python -m tests.clients.tools` installs them; tests install nothing and are skipped with the word that is missing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from django.conf import settings

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.txt"
HOME = Path(sys.prefix) / "clients"
SECONDS = 300


def environment() -> Path:
    """Return the folder of the programs of the makers' environment."""
    return HOME / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12] / "bin"


def install() -> None:
    """Install the makers, unless they are there."""
    place = environment().parent
    if place.exists():
        return
    shutil.rmtree(HOME, ignore_errors=True)
    half = place.with_suffix(".half")
    venv.create(half, with_pip=True)
    pip = [half / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*map(str, pip), "--require-hashes", "-r", str(LOCK)])
    # Programs of an environment name its folder in their first line: they are called through its Python.
    half.rename(place)


def missing(*programs: str) -> str:
    """Return why clients cannot be made here, or ""."""
    if not environment().exists():
        return "the makers of clients are not installed: python -m tests.clients.tools"
    absent = [program for program in programs if shutil.which(program) is None]
    return f"{absent[0]} is not on this machine" if absent else ""


def generated(maker: str, schema: dict[str, object]) -> Path:
    """Return the folder of a client of this document; it is made once for each document and set of makers.

    `maker` is openapi-python-client, or a generator of openapi-generator (python, typescript-fetch).
    """
    text = json.dumps(schema, sort_keys=True)
    digest = hashlib.sha256(text.encode() + LOCK.read_bytes()).hexdigest()[:16]
    home = Path(settings.BASE_DIR) / "var" / "clients"
    folder = home / f"{maker}-{digest}"
    if folder.exists():
        return folder
    for older in home.glob(f"{maker}-*"):
        shutil.rmtree(older)
    half = folder.with_suffix(".half")
    half.mkdir(parents=True)
    source = half / "openapi.json"
    source.write_text(text)
    python = str(environment() / "python")
    if maker == "openapi-python-client":
        out = str(half / "klantbeeld_client")
        wanted = ["-m", "openapi_python_client", "generate", "--path", str(source), "--output-path", out, "--meta"]
        told = run([python, *wanted, "none"])
        # It knows no NDJSON and no gzip, and says so; a schema that it cannot read is a fault of the document.
        assert "Unable to" not in told and "Error" not in told, told
    else:
        code = "from openapi_generator_cli import cli; cli()"
        run([python, "-c", code, "generate", "-i", str(source), "-g", maker, "-o", str(half / "out")])
    half.rename(folder)
    return folder


def run(command: list[str], **variables: str) -> str:
    """Run a program and return what it wrote; raise with it when the program failed."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={"PATH": "/usr/bin:/bin", **variables},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


if __name__ == "__main__":
    try:
        install()
    except (AssertionError, OSError) as reason:
        sys.stderr.write(f"Generated clients are left out of the tests: {str(reason)[-400:]}\n")
