"""A stranger is led to the log-in page; a known reader without the permission is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/imports/new/", "/people/", "/privacy/log/", "/segments/new/", "/messages/new/"])
def test_a_stranger_logs_in_first_and_comes_back(client: Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={address}")


def test_a_stranger_who_posts_is_refused(client: Client) -> None:
    assert client.post("/imports/new/").status_code in (302, 403)


def test_a_known_reader_without_the_permission_is_told(client_as: Callable[[str], Client]) -> None:
    assert client_as("Analyst").get("/imports/new/").status_code == 403


def test_a_part_of_a_page_is_refused_and_not_replaced_by_the_log_in_page(client: Client) -> None:
    assert client.get("/imports/new/", headers={"HX-Request": "true"}).status_code in (302, 403)
