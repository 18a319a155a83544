"""The Java SDKs, unchanged: every call, over a bad line, with a restart in between."""

from __future__ import annotations

import os

import pytest

from tests.live import Site
from tests.sdks.calls import Sdk
from tests.sdks.exercise import Program, exercise
from tests.sdks.packages import NotThere, java_folder, needed

pytestmark = pytest.mark.django_db(transaction=True)

SEGMENT = Sdk("segment-java", "com.segment.analytics.java 3.5.4")
RUDDERSTACK = Sdk("rudder-java", "com.rudderstack.sdk.java.analytics 3.1.2")


def _program(sdk: Sdk, name: str) -> Program:
    folder = needed(java_folder(name), "mvn")
    classes = os.pathsep.join([str(folder / "jars" / "*"), str(folder / "classes")])
    return Program(sdk, ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", classes, "Exercise"])


def test_sent_equals_stored(site: Site) -> None:
    try:
        programs = [_program(SEGMENT, "segment"), _program(RUDDERSTACK, "rudderstack")]
    except NotThere as reason:
        pytest.skip(f"Java: {reason}")
    assert exercise(programs, site) == {}
