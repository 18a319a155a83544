"""What the log holds of a fault: where it happened, and nothing of whom it happened to."""

from __future__ import annotations

import logging
import sys

import pytest

from cdp.logs import formatter


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_names_the_place_and_no_values(as_json: bool) -> None:
    address = "-".join(("anna", "secret"))
    try:
        raise RuntimeError("it broke", len(address))
    except RuntimeError:
        record = logging.LogRecord("profiles", logging.ERROR, __file__, 1, "at work", None, sys.exc_info())
    line = formatter(as_json=as_json).format(record)
    assert "it broke" in line and "test_logs.py" in line
    assert "anna-secret" not in line
