"""credentials.json."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, RequestFactory

from cdp.embedded.first_run import ensure_credentials, read_credentials
from profiles.models import Source

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_var_dir(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path


def test_the_file_has_the_agreed_shape_and_mode(own_var_dir: Path) -> None:
    made = ensure_credentials()
    path = own_var_dir / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == made
    assert set(made) == {"url", "users", "api_token"}
    assert set(made["users"]) == {"marketer", "analyst", "privacy_officer", "administrator"}


def test_each_user_can_log_in_with_his_role(own_var_dir: Path) -> None:
    request = RequestFactory().post("/login/")
    for user in ensure_credentials()["users"].values():
        assert authenticate(request, username=user["username"], password=user["password"]) is not None
    assert User.objects.get(username="analyst").groups.get().name == "Analyst"
    assert not User.objects.get(username="marketer").is_superuser


def test_a_second_start_changes_nothing_and_keeps_what_others_put_there(own_var_dir: Path) -> None:
    assert ensure_credentials() == ensure_credentials()
    call_command("demo", keys_only=True)
    keys = read_credentials()["write_keys"]
    assert set(keys) == {"browser", "server"} and Source.objects.filter(slug__startswith="demo-").count() == 2
    assert ensure_credentials()["write_keys"] == keys
    call_command("demo", keys_only=True)
    assert read_credentials()["write_keys"] == keys


def test_a_start_without_the_demo_makes_no_source_of_it(own_var_dir: Path) -> None:
    ensure_credentials()
    assert not Source.objects.filter(slug__startswith="demo-").exists()


def test_a_password_that_was_changed_is_not_put_back(own_var_dir: Path) -> None:
    ensure_credentials()
    user = User.objects.get(username="marketer")
    user.set_password("a word of my own")
    user.save()
    ensure_credentials()
    user.refresh_from_db()
    assert user.check_password("a word of my own")


def test_the_token_opens_the_api(own_var_dir: Path) -> None:
    token = ensure_credentials()["api_token"]
    assert Client().get("/api/v1/profiles/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert Client().get("/api/v1/profiles/", headers={"Authorization": "Bearer kbt_wrong"}).status_code == 401
