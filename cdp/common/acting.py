"""Which request is being answered, for what happens too deep inside to be handed it: the log of changes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

_current: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


def current_request() -> HttpRequest | None:
    """Return the request that this thread answers; None in a worker, a command or a test's own code."""
    return _current.get()


class CurrentRequest:
    """Middleware: remember the request while it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        token = _current.set(request)
        try:
            return self.get_response(request)
        finally:
            _current.reset(token)
