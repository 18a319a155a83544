"""What the log holds of a fault: where it happened, and nothing of whom it happened to."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from django.test import RequestFactory

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


PERSONAL = [
    "/people/?q=vries&state=restricted",
    "/api/v1/profiles/email:anna@secret.example/",
    "/api/v1/profiles/email%3Aanna%40secret.example/interactions/",
    "/api/v1/profiles/user_id:vries-4711/",
    "/api/v1/permissions/phone:+31612345678/",
    'duplicate key value violates "x"\nDETAIL:  Key (kind, value)=(user_id, vries-4711) already exists.',
    "null value\nDETAIL:  Failing row contains (1, vries, anna@secret.example, 4711).\nat work",
    "mail to anna@secret.example was refused",
]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("text", PERSONAL)
def test_a_line_names_nobody(text: str, as_json: bool, rf: RequestFactory) -> None:
    request = rf.get(text.partition("\n")[0].replace(" ", "+")) if text.startswith("/") else None
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord(
            "django.request", logging.ERROR, __file__, 1, "Not Found: %s", (text,), sys.exc_info()
        )
    record.request = request
    line = formatter(as_json=as_json).format(record)
    for secret in ("anna", "vries", "4711", "12345678", "secret.example"):
        assert secret not in line, line
    if as_json:
        assert json.loads(line)["logger"] == "django.request"


def test_what_is_no_personal_value_stays(rf: RequestFactory) -> None:
    line = formatter(as_json=False).format(
        logging.LogRecord("x", logging.INFO, "", 1, "GET /people/?kind=web 2026-11-26 17:20:31 took 12 ms", None, None)
    )
    assert "/people/?kind=•••" in line and "2026-11-26 17:20:31 took 12 ms" in line
