"""Accounts as an administrator minds them: nobody is raised, nobody locks all out, all of it is in the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from cdp.accounts.rules import Standing, refusal
from cdp.common.models import AccessLog, Account
from cdp.common.roles import ADMINISTRATOR, ANALYST, MARKETER, PRIVACY

pytestmark = pytest.mark.django_db
UserAs = Callable[[str], User]
ClientAs = Callable[[str], Client]
ADD, LOGIN = "/admin/auth/user/add/", "/login/"
ADMIN_STANDING = Standing(frozenset({ADMINISTRATOR}))


def page_of(user: User) -> str:
    """Return the address of an account's page."""
    return f"/admin/auth/user/{user.pk}/change/"


def fields(user: User, **changes: Any) -> dict[str, Any]:
    """Return what the form of an account would post."""
    roles = list(user.groups.values_list("name", flat=True))
    known = {"username": user.username, "first_name": "", "last_name": "", "email": user.email, "roles": roles}
    posted = {**known, "is_active": "on" if user.is_active else "", **changes}
    return {name: value for name, value in posted.items() if value not in (None, "off")}


def secret_of(answer: Any) -> str:
    """Return the password that a page shows."""
    found = re.search(r'id="temporary-secret"[^>]*>([^<]+)<', answer.content.decode())
    assert found, answer.content.decode()
    return found[1]


@pytest.mark.parametrize(
    ("before", "after", "own", "by_superuser", "others", "code"),
    [
        (None, Standing(frozenset({ADMINISTRATOR})), False, False, 1, ""),
        (None, Standing(superuser=True), False, True, 1, "superuser_made"),
        (Standing(), Standing(superuser=True), False, True, 1, "superuser_made"),
        (Standing(superuser=True), Standing(superuser=True), False, False, 1, "superuser_touched"),
        (Standing(superuser=True), Standing(superuser=True), True, True, 0, ""),
        (ADMIN_STANDING, Standing(), True, False, 3, "own_role"),
        (ADMIN_STANDING, Standing(frozenset({ADMINISTRATOR}), active=False), True, False, 3, "own_role"),
        (ADMIN_STANDING, Standing(), False, True, 0, "last_administrator"),
        (ADMIN_STANDING, Standing(), False, False, 1, ""),
    ],
)
def test_what_may_be_done_to_an_account(
    before: Standing | None, after: Standing, own: bool, by_superuser: bool, others: int, code: str
) -> None:
    assert refusal(before=before, after=after, own=own, by_superuser=by_superuser, other_administrators=others) == code


def test_an_administrator_raises_nobody(client_as: ClientAs, user_as: UserAs) -> None:
    client, me, other = client_as(ADMINISTRATOR), user_as(ADMINISTRATOR), user_as(MARKETER)
    raw = Permission.objects.values_list("pk", flat=True)[:3]
    for user in (me, other):
        extra = {"is_superuser": "on", "user_permissions": list(raw), "groups": [1, 2, 3, 4], "password": "x"}
        client.post(page_of(user), fields(user, **extra))
        user.refresh_from_db()
        assert not user.is_superuser and not user.user_permissions.exists() and user.groups.count() == 1
        assert user.check_password("correct horse battery")
    client.post(ADD, {"username": "eve", "roles": [MARKETER], "is_superuser": "on", "is_staff": "on"})
    assert not User.objects.get(username="eve").is_superuser
    role = Group.objects.get(name=MARKETER)
    assert (
        client.post(f"/admin/auth/group/{role.pk}/change/", {"name": "x", "permissions": list(raw)}).status_code == 403
    )
    assert client.get(f"/admin/auth/user/{me.pk}/password/").status_code in (302, 404)


def test_a_superuser_is_for_superusers(client_as: ClientAs) -> None:
    root = User.objects.create_superuser("root", password="of the operator")
    client = client_as(ADMINISTRATOR)
    answer = client.post(page_of(root), fields(root, is_active="off", new_password="on"))
    assert answer.status_code == 403
    root.refresh_from_db()
    assert root.is_active and root.check_password("of the operator")
    assert client.get(page_of(root)).status_code == 200


def test_the_last_administrator_stays(client_as: ClientAs, user_as: UserAs) -> None:
    client, me = client_as(ADMINISTRATOR), user_as(ADMINISTRATOR)
    refused = client.post(page_of(me), fields(me, roles=[MARKETER]))
    assert "you cannot take away your own access" in refused.content.decode()
    refused = client.post(page_of(me), fields(me, is_active="off"))
    assert "you cannot take away your own access" in refused.content.decode()
    assert client.post(f"/admin/auth/user/{me.pk}/delete/", {"post": "yes"}).status_code == 403
    root = Client()
    root.force_login(User.objects.create_superuser("root"), backend="django.contrib.auth.backends.ModelBackend")
    User.objects.filter(username="root").update(is_superuser=True, password="!")
    refused = root.post(page_of(me), fields(me, roles=[MARKETER]))
    assert list(me.groups.values_list("name", flat=True)) == [ADMINISTRATOR]


def test_a_password_of_somebody_else_opens_the_door_once(client_as: ClientAs) -> None:
    answer = client_as(ADMINISTRATOR).post(ADD, {"username": "nora", "roles": [ANALYST, PRIVACY]})
    password = secret_of(answer)
    assert "no-store" in answer["Cache-Control"]
    nora = User.objects.get(username="nora")
    assert set(nora.groups.values_list("name", flat=True)) == {ANALYST, PRIVACY}
    browser = Client()
    browser.post(LOGIN, {"username": "nora", "password": password})
    assert browser.get("/people/")["Location"] == "/account/password/"
    assert browser.get("/api/v1/profiles/").json()["code"] == "password_temporary"
    assert browser.get("/people/", headers={"HX-Request": "true"})["HX-Redirect"] == "/account/password/"
    chosen = "tangerine waterfall seven"
    browser.post("/account/password/", {"old_password": password, "new_password1": chosen, "new_password2": chosen})
    assert browser.get("/people/").status_code == 200
    again = Client()
    assert again.post(LOGIN, {"username": "nora", "password": password}).status_code == 200
    again.post(LOGIN, {"username": "nora", "password": chosen})
    assert again.get("/people/").status_code == 200


def test_a_temporary_password_ends_by_itself(client_as: ClientAs, user_as: UserAs) -> None:
    user = user_as(MARKETER)
    password = secret_of(client_as(ADMINISTRATOR).post(page_of(user), fields(user, new_password="on")))
    Account.objects.filter(user=user).update(temporary_until=timezone.now() - timedelta(seconds=1))
    browser = Client()
    assert "has expired" in browser.post(LOGIN, {"username": user.username, "password": password}).content.decode()
    assert browser.get("/people/").status_code == 302


@pytest.mark.parametrize("change", [{"is_active": "off"}, {"roles": [ANALYST]}, {"roles": []}, {"new_password": "on"}])
def test_sessions_end_with_a_change(client_as: ClientAs, user_as: UserAs, change: dict[str, Any]) -> None:
    user, theirs = user_as(MARKETER), client_as(MARKETER)
    assert theirs.get("/people/").status_code == 200
    client_as(ADMINISTRATOR).post(page_of(user), fields(user, email="other@klantbeeld.example"))
    assert theirs.get("/people/").status_code == 200
    client_as(ADMINISTRATOR).post(page_of(user), fields(user, **change))
    assert theirs.get("/people/").status_code == 302


def test_a_program_has_no_password(client_as: ClientAs) -> None:
    client = client_as(ADMINISTRATOR)
    client.post(ADD, {"username": "shop", "roles": [ANALYST], "program": "on"})
    shop = User.objects.get(username="shop")
    assert not shop.has_usable_password() and not shop.is_staff
    client.post(page_of(shop), fields(shop, new_password="on"))
    shop.refresh_from_db()
    assert not shop.has_usable_password()


def test_changes_are_in_the_log(client_as: ClientAs, user_as: UserAs) -> None:
    client, user = client_as(ADMINISTRATOR), user_as(MARKETER)
    client.post(page_of(user), fields(user, roles=[ANALYST], first_name="Mia", is_active="off"))
    task = PeriodicTask.objects.create(name="t", task="t", interval=IntervalSchedule.objects.first())
    client.post(f"/admin/django_celery_beat/periodictask/{task.pk}/change/", {"interval": task.interval_id})
    log = AccessLog.objects.filter(actor_label="administrator").order_by("pk")
    told = [(row.action, row.object_kind, row.object_id, row.detail) for row in log]
    changes = {"first_name": ["", "Mia"], "is_active": ["True", "False"]}
    assert ("user.changed", "user", "marketer", {"changes": changes}) in told
    assert ("user.changed", "user", "marketer", {"what": "group", "added": [ANALYST]}) in told
    assert ("user.changed", "user", "marketer", {"what": "group", "removed": [MARKETER]}) in told
    assert ("schedule.changed", "schedule", "t", {"changes": {"enabled": ["True", "False"]}}) in told
    client.post(page_of(user), fields(user, is_active="on"))
    user.refresh_from_db()
    password = secret_of(client.post(page_of(user), fields(user, new_password="on")))
    entry = AccessLog.objects.get(action="user.password_changed")
    assert (entry.actor_label, entry.object_id) == ("administrator", "marketer")
    assert password not in str(list(AccessLog.objects.values()))
    assert "pbkdf2" not in str(list(AccessLog.objects.values()))


def test_logins_are_in_the_log(user_as: UserAs) -> None:
    user_as(MARKETER)
    browser = Client(REMOTE_ADDR="198.51.100.7")
    browser.post(LOGIN, {"username": "marketer", "password": "wrong"})
    browser.post(LOGIN, {"username": "my secret password", "password": "marketer"})
    browser.post(LOGIN, {"username": "marketer", "password": "correct horse battery"})
    browser.post("/account/password/", {"old_password": "x"})
    browser.post("/logout/")
    log = AccessLog.objects.filter(action__startswith="user.").order_by("pk").values_list("action", "object_id", "ip")
    ip = "198.51.100.7"
    assert list(log) == [
        ("user.login_failed", "marketer", ip),
        ("user.login_failed", "", ip),
        ("user.logged_in", "marketer", ip),
        ("user.logged_out", "marketer", ip),
    ]


@pytest.mark.parametrize("statement", ["UPDATE common_accesslog SET action = 'x'", "DELETE FROM common_accesslog",
                                       "TRUNCATE common_accesslog"])  # fmt: skip
def test_the_log_only_grows(statement: str) -> None:
    AccessLog.objects.create(action="user.changed")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            cursor.execute(statement)


def test_nobody_schedules_a_task_of_their_own(client_as: ClientAs) -> None:
    client = client_as(ADMINISTRATOR)
    every = IntervalSchedule.objects.first()
    assert every
    task = PeriodicTask.objects.create(name="t", task="cdp.run_retention", interval=every)
    page = f"/admin/django_celery_beat/periodictask/{task.pk}/change/"
    client.post(page, {"task": "other.task", "name": "x", "args": "[1]", "interval": every.pk, "enabled": "on"})
    task.refresh_from_db()
    assert (task.task, task.name, task.args) == ("cdp.run_retention", "t", "[]")
    assert client.post("/admin/django_celery_beat/periodictask/add/", {}).status_code == 403
