"""What the base template needs on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Return the navigation that the reader's role may see."""
    return {}
