"""One running installation for all tests of this folder; each test brings people and names of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from pytest_django import Settings

from cdp.common.journal.restoring import may_work
from cdp.common.models import Installation as InstallationRow
from cdp.mailbox.store import MailStore
from tests import database
from tests.live import Site
from tests.scenarios.installation import Installation, eventually, running_installation, user_of
from tests.scenarios.world import make_world


@pytest.fixture(scope="package")
def installation(
    django_db_setup: None, django_db_keepdb: bool, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Run web, worker, beat and mailbox on the test database; give the database back as it was."""
    with django_db_blocker.unblock():
        # pytest-django makes the test database only when it sees a test with its mark; these commit, so bear none.
        mine = None
        if not str(connection.settings_dict["NAME"]).startswith("test_"):
            mine = setup_databases(verbosity=0, interactive=False, keepdb=django_db_keepdb)
        database.keep_copy()
        try:
            with running_installation(tmp_path_factory.mktemp("installation")) as installation:
                yield installation
        finally:
            database.bring_back()
            if mine is not None:
                teardown_databases(mine, verbosity=0, keepdb=django_db_keepdb)


@pytest.fixture
def site(installation: Installation) -> Site:
    """Let browsers and SDKs of these tests visit the one installation."""
    return installation.site


@pytest.fixture
def user_as(installation: Installation) -> Callable[[str], User]:
    """Return a function that gives the user of a role, committed, so that every process knows them."""
    return user_of


@pytest.fixture
def world(db: None, settings: Settings, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """One of everything."""
    caplog.set_level(logging.CRITICAL, logger="django.request")  # every refusal would be told at length
    settings.VAR_DIR = tmp_path
    settings.CAPTURE_MAIL = True
    # The running installation has its own journal; beside that of this test the database would be a restored one.
    InstallationRow.objects.all().delete()
    eventually(may_work, "no other process puts the database in order")
    return make_world(MailStore(tmp_path / "mailbox"))
