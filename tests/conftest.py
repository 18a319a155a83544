"""What all tests share: the database server, clients per role, and the real site for browsers and SDKs.

Without DATABASE_URL the embedded server is started in a folder of the tests, and stopped again at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from cdp.common.models import ApiToken
from cdp.embedded import postgres
from tests import database
from tests.live import Site, live_site

pytest_plugins = ["tests.browser"]

database.install()
_ran_before = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Remember whether the embedded server was up before the tests."""
    if django_settings.LOCAL and not hasattr(config, "workerinput"):
        config.stash[_ran_before] = postgres.is_running(django_settings.VAR_DIR)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the embedded server if the tests started it."""
    if config.stash.get(_ran_before, True) is False:
        postgres.stop(django_settings.VAR_DIR)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name what is no plain text by its length: what is compressed holds the time, and workers must agree on names."""
    if isinstance(val, bytes) and not (val.isascii() and len(val) < 40):
        return f"{argname}-{len(val)}-bytes"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something costly (an installation, a server) in one worker."""
    for item in items:
        shared = getattr(item, "_fixtureinfo", None)
        scopes = {one.scope for some in shared.name2fixturedefs.values() for one in some} if shared else set()
        if "package" in scopes:
            item.add_marker(pytest.mark.xdist_group(str(item.path.parent)))
        elif "module" in scopes:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Start the embedded server before the first test that needs a database; plain tests never wait for it."""
    if django_settings.LOCAL:
        postgres.ensure_running(django_settings.VAR_DIR)


@pytest.fixture(autouse=True)
def _own_journal(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each test a journal of its own: to the next one the database is put back, as if from a backup."""
    settings.JOURNAL_DIR = tmp_path_factory.mktemp("journal")


@pytest.fixture
def user_as(db: None) -> Callable[[str], User]:
    """Return a function that makes a user with a role of `cdp.common.roles`."""

    def make(role: str) -> User:
        username = role.lower().replace(" ", "_")
        user = User.objects.filter(username=username).first()
        if user is None:
            user = User.objects.create_user(username, f"{username}@klantbeeld.example", "correct horse battery")
            user.is_staff = True
            user.save(update_fields=["is_staff"])
            user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def client_as(user_as: Callable[[str], User]) -> Callable[[str], Client]:
    """Return a function that makes a test client signed in as a user with that role."""

    def make(role: str) -> Client:
        client = Client()
        client.force_login(user_as(role), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make


@pytest.fixture
def api_token(user_as: Callable[[str], User]) -> Callable[[str], dict[str, str]]:
    """Return a function that gives the headers of an API token of that role, for `client.get(headers=...)`."""

    def make(role: str = "Administrator") -> dict[str, str]:
        _row, token = ApiToken.issue(user=user_as(role), name="test")
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    """Run the real web process on a free port against the test database: for SDKs, browsers and raw HTTP."""
    with live_site() as site:
        yield site
