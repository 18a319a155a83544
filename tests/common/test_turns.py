"""Turns at what is costly: one for each user, two in all, and whoever asks more is told so at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from cdp.common import turns
from cdp.common.errors import CdpError
from cdp.common.turns import AT_ONCE, taking_turn


def user(number: int) -> Any:
    """Return somebody."""
    return SimpleNamespace(pk=number)


def hold(users: list[Any], go: threading.Event, inside: list[int], refused: list[int]) -> list[threading.Thread]:
    """Let each of these take a turn in a thread (and connection) of its own, and keep it until `go`."""

    def work(who: Any) -> None:
        try:
            with taking_turn("test", who, wait=0.3):
                inside.append(who.pk)
                go.wait(20)
        except CdpError as error:
            refused.append(who.pk if error.status == 429 else -1)
            if len(inside) + len(refused) == len(users):
                go.set()
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(who,)) for who in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return threads


@pytest.mark.django_db(transaction=True)
def test_no_more_than_two_at_once_and_one_for_each() -> None:
    inside: list[int] = []
    refused: list[int] = []
    hold([user(number) for number in range(5)], threading.Event(), inside, refused)
    assert (len(inside), len(refused)) == (AT_ONCE, 3)
    inside, refused = [], []
    hold([user(7)] * 4, threading.Event(), inside, refused)
    assert (len(inside), len(refused)) == (1, 3)


@pytest.mark.django_db(transaction=True)
def test_a_turn_is_free_again_however_it_ended() -> None:
    with pytest.raises(ZeroDivisionError), taking_turn("test", user(1)):
        raise ZeroDivisionError
    for _time in range(3):
        with taking_turn("test", user(1), wait=0):
            pass


@pytest.mark.django_db
def test_so_many_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PER_MINUTE", 3)
    for _time in range(3):
        with taking_turn("many", user(1)):
            pass
    with pytest.raises(CdpError), taking_turn("many", user(1)):
        pass
    with taking_turn("many", user(2)):
        pass
