"""Who uses a segment beyond this app: what is in use is not put away without a word."""

from __future__ import annotations

from collections.abc import Callable

from cdp.common.registry import Registry

#: name -> function(number of a segment) -> names of what is under way with it
segment_uses: Registry[Callable[[int], list[str]]] = Registry("use of segments")
