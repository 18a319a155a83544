"""Take messages out of a stored body. The others stay as their sender wrote them, each at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from profiles.messages.cleaning import Unstorable
from profiles.messages.decoding import Unreadable, decode_item, split
from profiles.messages.model import Pair, Rules
from profiles.messages.naming import named_in
from profiles.messages.reading import ERASED_ITEM

_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def names_by_item(body: bytes, endpoint: str, rules: Rules) -> list[frozenset[Pair]]:
    """Return whom each item of a body names; empty for a body that cannot be read."""
    try:
        return list(_names(body, endpoint, rules))
    except Unreadable:
        return []


def _names(body: bytes, endpoint: str, rules: Rules) -> Iterator[frozenset[Pair]]:
    parts = split(body, batch=endpoint == "batch")
    for data in parts.items:
        try:
            item = decode_item(data)
        except Unstorable:
            item = None
        yield named_in(item, parts.context, rules)


def cut(body: bytes, endpoint: str, rules: Rules, spares: Callable[[frozenset[Pair]], bool]) -> bytes | None:
    """Return a body with only the messages whose names it `spares`; None when that is all of them.

    A marker takes the place of each, so that the others keep their positions and the counts add up.
    """
    marks = [not spares(names) for names in names_by_item(body, endpoint, rules)]
    if not any(marks):
        return None
    if endpoint != "batch":
        return ERASED_ITEM
    parts = split(body, batch=True)
    items = [ERASED_ITEM if cut_out else data for data, cut_out in zip(parts.items, marks, strict=True)]
    batch = msgspec.Raw(b"[" + b",".join(items) + b"]")
    if all(marks):  # what stands beside the batch counted for them alone
        return msgspec.json.encode({"batch": batch})
    return msgspec.json.encode({**_decode_parts(parts.data), "batch": batch})
