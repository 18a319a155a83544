"""Run a coroutine from a test, whatever ran in this thread before.

Playwright's synchronous API leaves its event loop running in the main thread for the whole session, and asyncio refuses
a second one beside it: so the coroutine gets a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what the coroutine returns."""

    def whole() -> T:
        try:
            return asyncio.run(coroutine)
        finally:
            connections.close_all()  # what the coroutine opened belongs to this thread

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="test-loop") as pool:
        return pool.submit(whole).result()
