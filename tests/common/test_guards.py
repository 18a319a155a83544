"""One guard for all pages: strangers are led to the log-in page, known readers who may not are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from cdp.common.guards import GuardedView, needs
from cdp.common.roles import ANALYST, MARKETER

pytestmark = pytest.mark.django_db


@needs("profiles.view_profile", "profiles.view_pii")
def people(_request: HttpRequest) -> HttpResponse:
    """Show people."""
    return HttpResponse("people")


@needs()
def anything(_request: HttpRequest) -> HttpResponse:
    """Show what every known reader may see."""
    return HttpResponse("anything")


class Page(GuardedView):
    """Show people."""

    permission_required = "profiles.view_pii"

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Answer."""
        return HttpResponse("people")


VIEWS: list[Callable[..., Any]] = [people, Page.as_view()]


def ask(view: Callable[..., Any], user: User | AnonymousUser) -> Any:
    request = RequestFactory().get("/people/?q=a b")
    request.user = user
    return view(request)


@pytest.mark.parametrize("view", [*VIEWS, anything])
def test_a_stranger_is_led_to_the_log_in_page_and_back(view: Callable[..., Any]) -> None:
    answer = ask(view, AnonymousUser())
    assert answer.status_code == 302 and answer["Location"] == "/login/?next=/people/%3Fq%3Da%2520b"


@pytest.mark.parametrize("view", VIEWS)
def test_a_known_reader_needs_all_permissions(view: Callable[..., Any], user_as: Callable[[str], User]) -> None:
    assert ask(view, user_as(MARKETER)).content == b"people"
    with pytest.raises(PermissionDenied):
        ask(view, user_as(ANALYST))
    assert ask(anything, user_as(ANALYST)).content == b"anything"
