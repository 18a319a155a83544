"""Draw times in the zone of the reader's browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import lru_cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from cdp.common.api_answers import is_api


@lru_cache(maxsize=1)
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_of(request: HttpRequest) -> tzinfo:
    """Return the zone that the browser named in its cookie, or the zone of the business; to programs time is UTC."""
    if is_api(request):
        return UTC
    name = unquote(request.COOKIES.get("zone", ""))
    return ZoneInfo(name if name in _known_zones() else settings.BUSINESS_TIME_ZONE)


class ReaderZone:
    """Middleware: activate the reader's zone for the time of the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request with its zone active."""
        with timezone.override(zone_of(request)):
            return self.get_response(request)
