"""Keep the garbage collector out of work that makes very many objects at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycle_search() -> Iterator[None]:
    """Keep the garbage collector from searching a block of rows again and again while it grows.

    A block makes some 100,000 objects, hardly a cycle among them; counting references frees them when it ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
