"""The Go SDKs, unchanged: every call, over a bad line, with a restart in between."""

from __future__ import annotations

import pytest

from tests.live import Site
from tests.sdks.calls import Sdk
from tests.sdks.exercise import Program, exercise
from tests.sdks.packages import NotThere, go_program, needed

pytestmark = pytest.mark.django_db(transaction=True)

SEGMENT = Sdk("segment-go", "segmentio/analytics-go v3.3.0")
RUDDERSTACK = Sdk("rudder-go", "rudderlabs/analytics-go v4.2.1")


def test_sent_equals_stored(site: Site) -> None:
    try:
        programs = [
            Program(SEGMENT, [str(needed(go_program("segment"), "go"))]),
            Program(RUDDERSTACK, [str(needed(go_program("rudderstack"), "go"))]),
        ]
    except NotThere as reason:
        pytest.skip(f"Go: {reason}")
    assert exercise(programs, site) == {}
