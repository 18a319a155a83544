"""How deep some JSON nests and how many things lie side by side in it, found without decoding it.

A slice at a time, so that no single step keeps the interpreter's lock for long, however large the body: what runs in
another thread would hold up the event loop otherwise, for one operation on a whole buffer gives the lock to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, compress

#: marks (brackets, quotes, commas) in a slice: some 3 ms
SLICE = 32 * 1024
#: bytes that are looked at together for those marks
PIECE = 8 * SLICE
#: where the items of a batch stand: in a list in an object
ITEM_LEVEL = 2

_MARKS = b'[]{}",'
_ALL_OTHERS = bytes(set(range(256)) - set(_MARKS))
_STEPS = bytes.maketrans(b"[{]},", b"\x01\x01\xff\xff\x00")  # one level down, one level up as a signed byte
_COMMAS = bytes(1 if mark == ord(",") else 0 for mark in range(256))


@dataclass(frozen=True)
class Structure:
    """What was found, or found until a limit was passed."""

    levels: int
    #: commas at ITEM_LEVEL; as many items at the least
    commas: int


def structure_of(data: bytes, *, max_levels: int, max_commas: int) -> Structure:
    """Return the structure of some JSON, giving up once it is deeper or wider than told; of other text anything."""
    depth = levels = commas = 0
    for marks in _outside_texts(data):
        depths = list(accumulate(memoryview(marks.translate(_STEPS)).cast("b"), initial=depth))
        depth, levels = depths[-1], max(levels, max(depths))
        if levels > max_levels or min(depths) < 0:  # more closed than opened is no JSON, as the decoder will say
            break
        commas += bytes(compress(depths, marks.translate(_COMMAS))).count(ITEM_LEVEL)
        if commas > max_commas:
            break
    return Structure(levels, commas)


def nesting(data: bytes) -> int:
    """Return how many levels of objects and lists some valid JSON has."""
    return structure_of(data, max_levels=250, max_commas=len(data)).levels


def _outside_texts(data: bytes) -> Iterator[bytes]:
    """Yield the brackets and commas that stand outside of texts."""
    inside = False
    for piece in _pieces(data):
        if b"\\" in piece:  # afterwards every quote begins or ends a text
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        marks = piece.translate(None, _ALL_OTHERS)
        for start in range(0, len(marks), SLICE):
            parts = marks[start : start + SLICE].split(b'"')
            yield b"".join(parts[1::2] if inside else parts[::2])
            inside ^= not len(parts) % 2


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield the data in pieces, none of which ends within an escape."""
    start = 0
    while start < len(data):
        piece = data[start : start + PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = data[start : start + PIECE + 1]
        yield piece
        start += len(piece)
