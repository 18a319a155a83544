"""Keep the embedded PostgreSQL up while `run` lives: whatever ended it, it is started again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from cdp.embedded import postgres
from cdp.embedded.postgres_commands import PostgresError
from cdp.processes.output import say
from cdp.processes.supervisor import FIRST_PAUSE, LONGEST_PAUSE

LOOK_SECONDS = 1.0


class Minder(threading.Thread):
    """Look at the server every second, and start it when it is gone.

    After a crash of one of its own processes PostgreSQL recovers by itself, and listens all the while.
    """

    def __init__(self, var_dir: Path) -> None:
        super().__init__(name="postgres minder", daemon=True)
        self.var_dir = var_dir
        self._stopping = threading.Event()

    def run(self) -> None:
        """Mind it until `stop`."""
        pause = FIRST_PAUSE
        while not self._stopping.wait(LOOK_SECONDS):
            if postgres.listens(self.var_dir):
                continue
            say("run", "the embedded PostgreSQL is gone; starting it again")
            began = time.monotonic()
            try:
                postgres.ensure_running(self.var_dir)
            except PostgresError as error:
                say("run", f"{error}\nTrying again in {pause:.0f} s.")
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                say("run", f"the embedded PostgreSQL is back after {time.monotonic() - began:.1f} s")

    def stop(self) -> None:
        """End; wait for a start under way, so that nothing starts the server after it was stopped."""
        self._stopping.set()
        if self.is_alive():
            self.join()
