"""Faults are tried on real processes. A short selection runs with all tests; `make faults` runs all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation, running_installation


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long ones out, unless FAULTS=long asks for them."""
    if os.environ.get("FAULTS") != "long":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="a long fault: make faults"))


@pytest.fixture(scope="module")
def product() -> Iterator[Installation]:
    """One running installation for all tests of a module; each leaves it well."""
    with running_installation() as found:
        yield found
