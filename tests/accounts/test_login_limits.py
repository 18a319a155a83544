"""Guessing passwords through the real form: what is slowed, whom it must not lock out, and what it must not tell."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from cdp.accounts.login_limits import PER_ADDRESS, PER_NAME, PER_NAME_AND_ADDRESS, is_over, login_address
from cdp.accounts.password_gate import AT_ONCE, WAITING_PER_ADDRESS, TooManyAtOnce, checking_password
from cdp.common.models import AccessLog
from cdp.common.roles import MARKETER

UserAs = Callable[[str], User]
LOGIN, RIGHT = "/login/", "correct horse battery"


def forget() -> None:
    """Let Django read the hashers from the settings again."""
    hashers.get_hashers.cache_clear()  # type: ignore[attr-defined]
    hashers.get_hashers_by_algorithm.cache_clear()  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any) -> Iterator[None]:
    """Let the many wrong passwords of these tests cost little."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget()
    yield
    forget()


def attempt(name: str, password: str, address: str, browser: Client | None = None) -> Any:
    """Fill in the form from an address."""
    return (browser or Client()).post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


def fail(times: int, *, name: str = "marketer", address: str = "198.51.100.7") -> None:
    """Note failures of another day's attacker, without asking the form each time."""
    AccessAttempt.objects.create(
        username=name, ip_address=address, user_agent=str(AccessAttempt.objects.count()), failures_since_start=times,
        get_data="", post_data="", http_accept="", path_info=LOGIN,
    )  # fmt: skip


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_on_a_known_device_only_its_own_attempts_count(pair: int, address: int, name: int) -> None:
    known = is_over(pair=pair, address=address, name=name, known_device=True)
    assert known == (pair >= PER_NAME_AND_ADDRESS or address >= PER_ADDRESS)
    assert is_over(pair=pair, address=address, name=name, known_device=False) == (known or name >= PER_NAME)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["marketer", "nobody at all"])
def test_guessing_is_stopped_and_tells_nothing(user_as: UserAs, name: str) -> None:
    user_as(MARKETER)
    answers = [attempt(name, f"wrong {number}", "198.51.100.7") for number in range(PER_NAME_AND_ADDRESS + 1)]
    assert [answer.status_code for answer in answers] == [200] * (PER_NAME_AND_ADDRESS - 1) + [429, 429]
    assert attempt(name, RIGHT, "198.51.100.7").status_code == 429
    body = answers[-1].content.decode()
    assert "Locked for a while" in body and name not in body
    assert attempt("marketer", RIGHT, "203.0.113.9").status_code == 302
    assert AccessLog.objects.filter(action="user.locked_out").count() == 1


@pytest.mark.django_db
def test_a_lock_looks_the_same_whoever_is_named(user_as: UserAs) -> None:
    user_as(MARKETER)
    fail(PER_NAME_AND_ADDRESS)
    fail(PER_NAME_AND_ADDRESS, name="nobody")
    real, ghost = (attempt(name, "x", "198.51.100.7") for name in ("marketer", "nobody"))
    csrf = re.compile(rb'(csrfmiddlewaretoken" value=")[^"]*')
    assert real.status_code == ghost.status_code == 429
    assert csrf.sub(b"", real.content) == csrf.sub(b"", ghost.content)


@pytest.mark.django_db
def test_random_names_from_one_address_are_stopped(user_as: UserAs) -> None:
    user_as(MARKETER)
    for number in range(PER_ADDRESS // 5):
        fail(5, name=f"guess {number}")
    assert attempt("another", "x", "198.51.100.7").status_code == 429
    assert attempt("another", "x", "203.0.113.9").status_code == 200


@pytest.mark.django_db
def test_a_name_under_attack_from_everywhere_opens_on_its_owners_device(user_as: UserAs) -> None:
    user_as(MARKETER)
    own = Client()
    assert attempt("marketer", RIGHT, "203.0.113.9", own).status_code == 302
    own.post("/logout/")
    for number in range(PER_NAME // 6):
        fail(6, address=f"198.51.100.{number}")
    assert attempt("marketer", RIGHT, "192.0.2.1").status_code == 429
    assert attempt("marketer", RIGHT, "203.0.113.9", own).status_code == 302
    other = Client()
    other.cookies["device"] = own.cookies["device"].value[:-2] + "xx"
    assert attempt("marketer", RIGHT, "192.0.2.1", other).status_code == 429


@pytest.mark.django_db
def test_the_mark_of_a_device_is_for_one_name(user_as: UserAs) -> None:
    user_as(MARKETER)
    User.objects.create_user("thief", password=RIGHT)
    thief = Client()
    assert attempt("thief", RIGHT, "192.0.2.1", thief).status_code == 302
    thief.post("/logout/")
    for number in range(PER_NAME // 6):
        fail(6, address=f"198.51.100.{number}")
    assert attempt("marketer", RIGHT, "192.0.2.1", thief).status_code == 429
    assert thief.cookies["device"]["httponly"]


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("", None),
        ("unix:", None),
    ],
)
def test_what_counts_as_one_address(peer: str, counted: str | None) -> None:
    class Request:
        META = {"REMOTE_ADDR": peer}

    assert login_address(Request()) == counted


@pytest.mark.django_db
def test_a_strangers_header_is_not_an_address(user_as: UserAs) -> None:
    user_as(MARKETER)
    fail(PER_NAME_AND_ADDRESS)
    forged = Client(headers={"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"})
    assert attempt("marketer", RIGHT, "198.51.100.7", forged).status_code == 429


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["marketer", "nobody", "program", "gone"])
def test_every_name_costs_one_hash(user_as: UserAs, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    user_as(MARKETER)
    User.objects.create_user("program")
    User.objects.create_user("gone", password=RIGHT, is_active=False)
    made = []
    encode = hashers.MD5PasswordHasher.encode

    def counting(self: Any, *args: Any) -> str:
        made.append(1)
        return encode(self, *args)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counting)
    assert attempt(name, "wrong", "198.51.100.7").status_code == 200
    assert len(made) == 1


def test_one_address_checks_one_password_at_a_time() -> None:
    with checking_password("198.51.100.7"):
        with pytest.raises(TooManyAtOnce), checking_password("198.51.100.7", wait=0.05):
            pass
        with checking_password("203.0.113.9"):
            pass
    with checking_password("198.51.100.7"):
        pass


def test_colleagues_behind_one_address_wait_for_their_turn_and_a_crowd_does_not() -> None:
    done, refused = [], []
    go = threading.Event()

    def check(number: int) -> None:
        try:
            with checking_password("198.51.100.7", wait=10):
                go.wait(10)
                done.append(number)
        except TooManyAtOnce:
            refused.append(number)
            if len(refused) == 4:
                go.set()

    threads = [threading.Thread(target=check, args=(number,)) for number in range(1 + WAITING_PER_ADDRESS + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(done), len(refused)) == (1 + WAITING_PER_ADDRESS, 4)


def test_no_more_passwords_at_once_than_the_machine_bears() -> None:
    inside, refused, go = [], [], threading.Event()

    def check(number: int) -> None:
        try:
            with checking_password(f"address {number}", wait=0.05):
                inside.append(number)
                go.wait(10)
        except TooManyAtOnce:
            refused.append(number)
            if len(refused) == 8:
                go.set()

    threads = [threading.Thread(target=check, args=(number,)) for number in range(AT_ONCE + 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(inside), len(refused)) == (AT_ONCE, 8)
    with checking_password("another", wait=0):
        pass


@pytest.mark.django_db
def test_who_comes_while_all_places_are_taken_is_asked_to_wait(user_as: UserAs) -> None:
    user_as(MARKETER)
    with checking_password("198.51.100.7"):
        answer = attempt("marketer", RIGHT, "198.51.100.7")
        assert (answer.status_code, answer["Retry-After"]) == (429, "2")
        assert attempt("marketer", RIGHT, "203.0.113.9").status_code == 302
