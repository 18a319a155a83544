"""A mail server for the tests of sending."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.campaigns.sink import Sink


@pytest.fixture
def sink(settings: Settings) -> Iterator[Sink]:
    """Receive the mail of a test."""
    server = Sink().start()
    settings.MAIL_SERVER = server.server
    yield server
    server.stop()
