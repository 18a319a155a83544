"""A world of secrets, once for each test."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pytest_django import Settings

from cdp.mailbox.store import MailStore
from tests.privacy.secrets import Secrets
from tests.privacy.world import make_secret_world
from tests.scenarios.world import make_world


@pytest.fixture
def secret_world(
    db: None, settings: Settings, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> tuple[dict[str, Any], Secrets]:
    """One of everything, and what must not be seen of it."""
    caplog.set_level(logging.CRITICAL, logger="django.request")
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    return make_secret_world(MailStore(tmp_path / "mailbox"))


@pytest.fixture
def world(db: None, settings: Settings, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """One of everything."""
    caplog.set_level(logging.CRITICAL, logger="django.request")
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    return make_world(MailStore(tmp_path / "mailbox"))
