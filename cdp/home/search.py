"""The search box of every page: asks what apps registered, for people, segments, campaigns."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from cdp.common.access import record_look
from cdp.common.guards import GuardedView
from cdp.common.registry import search_providers

logger = logging.getLogger(__name__)
SHORT, LONG = 5, 50
MIN_LENGTH, MAX_LENGTH = 2, 200


class SearchView(GuardedView):
    """Answer in the drop-down for htmx, as a page otherwise. Each provider shows only what the reader may see."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask every provider; one that fails or is too slow is named and leaves the others standing."""
        text = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_LENGTH]
        partial = bool(getattr(request, "htmx", False))
        found, failed = ask(request.user, text, SHORT if partial else LONG)
        record_look(request, "profile.searched", [row.get("person") for row in found])
        groups = [(kind, list(rows)) for kind, rows in groupby(found, key=lambda row: row["kind"])]
        context = {"search_text": text, "groups": groups, "failed": failed, "short": len(text) < MIN_LENGTH}
        return render(request, "home/search_answers.html" if partial else "home/search.html", context)


def ask(user: Any, text: str, limit: int) -> tuple[list[dict[str, str]], list[str]]:
    """Return the answers of all providers, and the names of those that failed."""
    found: list[dict[str, str]] = []
    failed: list[str] = []
    if len(text) < MIN_LENGTH:
        return found, failed
    for name, provider in search_providers.items():
        try:
            with transaction.atomic():
                found += provider(user, text, limit)
        except DatabaseError:
            logger.warning("search provider %s failed", name, exc_info=True)
            failed.append(name)
    return found, failed
