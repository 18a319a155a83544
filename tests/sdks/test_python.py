"""The Python SDKs, unchanged: every call, over a bad line, with a restart in between."""

from __future__ import annotations

import sys

import pytest

from tests.live import Site
from tests.sdks.calls import Sdk
from tests.sdks.exercise import Program, exercise
from tests.sdks.packages import HERE, NotThere, needed, old_python

pytestmark = pytest.mark.django_db(transaction=True)

SEGMENT = Sdk("segment-python", "segment-analytics-python 2.4.0")
OLD = Sdk("analytics-python", "analytics-python 1.4.post1")
RUDDERSTACK = Sdk("rudder-python", "rudder-sdk-python 2.1.9")


def _program(sdk: Sdk, module: str, host_field: str, packages: str = "") -> Program:
    environment = {"MODULE": module, "HOST_FIELD": host_field, "PACKAGES": packages}
    return Program(sdk, [sys.executable, str(HERE / "programs" / "server.py")], environment)


def test_sent_equals_stored(site: Site) -> None:
    programs = [
        _program(SEGMENT, "segment.analytics", "host"),
        _program(RUDDERSTACK, "rudderstack.analytics", "dataPlaneUrl"),
    ]
    missing = ""
    try:
        programs.append(_program(OLD, "analytics", "host", str(needed(old_python(), "pip"))))
    except NotThere as reason:
        missing = str(reason)
    assert exercise(programs, site) == {}
    if missing:
        pytest.skip(f"analytics-python was left out, the others are well: {missing}")
