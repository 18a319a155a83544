"""The locks hold what every promised Python needs, not only the one that made them (F15)."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
#: the oldest that pyproject.toml promises (Debian 12 brings 3.11.2), the first that needs one package less, newer ones
PYTHONS = ("3.11.0", "3.11.3", "3.12.0", "3.13.0")
LINE = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==[^ ;]+(?: ; (?P<marker>.+?))? *\\?$", re.MULTILINE)


def environment(python: str) -> dict[str, str]:
    return {
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "implementation_version": python,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "extra": "",
    }


def locked_for(lock: str, python: str) -> set[str]:
    text = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
    return {
        canonicalize_name(line["name"])
        for line in LINE.finditer(text)
        if not line["marker"] or Marker(line["marker"]).evaluate(environment(python))
    }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", ["base.txt", "local.txt", "dev.txt"])
def test_whatever_a_locked_package_needs_on_that_python_is_locked_too(lock: str, python: str) -> None:
    locked = locked_for(lock, python)
    assert "django" in locked
    missing = set()
    for name in locked:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another Python than the one that runs the tests
        for need in map(Requirement, needs):
            if need.marker and not need.marker.evaluate(environment(python)):
                continue
            if canonicalize_name(need.name) not in locked:
                missing.add(f"{name} needs {need}")
    assert not missing


def test_the_oldest_python_is_the_promised_one() -> None:
    promised = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert "3.11.0" in SpecifierSet(promised) and "3.10.99" not in SpecifierSet(promised)
    assert "--python-version 3.11.0" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
