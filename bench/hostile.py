"""Bodies that are as dear as they can be to whoever reads them: deep, wide, escaped, broken, compressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

MEBIBYTE = 1024 * 1024


def shapes(size: int) -> dict[str, bytes]:
    """Return hostile bodies of about `size` bytes, by name; a compressed one has that size when it is inflated."""
    numbered = b"".join(b'"%07d":1,' % number for number in range(size // 12))
    makers: dict[str, Callable[[], bytes]] = {
        "deep lists": lambda: b'{"batch":[' + b"[" * (size // 2) + b"]" * (size // 2) + b"]}",
        "deep objects": lambda: b'{"batch":[' + b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6) + b"]}",
        "brackets never closed": lambda: b"[" * size,
        "brackets in texts": lambda: b'{"batch":[' + b'"[{",' * (size // 5) + b'""]}',
        "lists side by side": lambda: b'{"batch":[[' + b"[]," * (size // 3) + b"[]]]}",
        "tiny items": lambda: b'{"batch":[' + b"1," * (size // 2) + b"1]}",
        "tiny objects": lambda: b'{"batch":[' + b"{}," * (size // 3) + b"{}]}",
        "one wide event": lambda: b'{"batch":[{"p":[' + b"1," * (size // 2) + b"1]}]}",
        "many keys": lambda: b'{"batch":[{' + numbered + b'"z":1}]}',
        "many keys beside the batch": lambda: b"{" + numbered + b'"batch":[]}',
        "a wide context": lambda: b'{"context":{' + numbered + b'"z":1},"batch":[]}',
        "half characters": lambda: b'{"batch":["' + rb"\ud800" * (size // 6) + b'"]}',
        "whole characters": lambda: b'{"batch":["' + rb"\ud83d\ude00" * (size // 12) + rb"\ud800" + b'"]}',
        "backslashes": lambda: b'{"batch":["' + b"\\\\" * (size // 2) + b'"]}',
        "escaped quotes": lambda: b'{"batch":["' + b'\\"' * (size // 2) + b'"]}',
        "a long number": lambda: b'{"batch":[' + b"9" * size + b"]}",
        "lenient JSON": lambda: b'{"batch":[' + b"NaN," * (size // 4) + b"1]}",
        "spaces": lambda: b'{"batch":[' + b" " * size + b"]}",
        "lines, then broken": lambda: b"{" + b"\n" * size + b"x",
        "keys everywhere": lambda: b'{"batch":[' + b'{"writeKey":"x"},' * (size // 17) + b"1]}",
        "other letters": lambda: b'{"batch":["' + "é€😀".encode() * (size // 9) + b'"]}',
    }
    return {name: make() for name, make in makers.items()}


def packed(shape: bytes, ways: str = "gzip") -> bytes:
    """Return a body compressed; `members`: as a hundred streams one after the other."""
    if ways == "members":
        step = len(shape) // 99
        return b"".join(gzip.compress(shape[start : start + step], 1) for start in range(0, len(shape), step))
    return gzip.compress(shape, 9) if ways == "gzip" else zlib.compress(shape, 9)
