"""Wake the processor, at most every 150 ms, from a thread of its own: a slow broker must not slow requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 0.15


class Waker(threading.Thread):
    """Call `wake` soon after `wake_soon`; many wakes make one call. Failure is ignored: beat wakes too."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__(name="collector-waker", daemon=True)
        self._wake = wake
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._quiet = False

    def wake_soon(self) -> None:
        """Ask for a wake-up."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._woken.set()

    def run(self) -> None:
        """Wait for wakes."""
        while not self._ended.is_set():
            self._woken.wait()
            if self._ended.is_set():
                return
            self._woken.clear()
            try:
                self._wake()
                self._quiet = False
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; beat is the safety net
                if not self._quiet:
                    logger.warning("could not wake the processor (beat will): %s", error)
                self._quiet = True
            self._ended.wait(PAUSE_SECONDS)
