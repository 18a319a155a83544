"""The Node SDKs, unchanged: every call, over a bad line, with a restart in between."""

from __future__ import annotations

import shutil

import pytest

from tests.live import Site
from tests.sdks.calls import Sdk
from tests.sdks.exercise import Program, exercise
from tests.sdks.packages import HERE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine"),
]

SEGMENT = Sdk("segment-node", "@segment/analytics-node 3.1.0")
RUDDERSTACK = Sdk("rudder-node", "@rudderstack/rudder-sdk-node 3.0.13")


def test_sent_equals_stored(site: Site) -> None:
    programs = [Program(sdk, ["node", str(HERE / "programs" / f"{sdk.name}.mjs")]) for sdk in (SEGMENT, RUDDERSTACK)]
    assert exercise(programs, site) == {}
