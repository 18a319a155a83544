"""A request to stop, heard by long work between two items: what is begun is finished, nothing new is begun."""

from __future__ import annotations

import threading

#: set when this process was asked to end; never cleared
stop_requested = threading.Event()
