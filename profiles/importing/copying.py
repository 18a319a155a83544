"""Values in the text form of COPY."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def copy_text(value: str) -> str:
    """Return text with the signs escaped that end a cell or a line."""
    if "\\" in value or "\t" in value or "\n" in value or "\r" in value:
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return value


def copy_json(value: Any) -> str:
    """Return JSON, which holds no tab or line end of its own; NULL for None."""
    if value is None:
        return "\\N"
    return _encode(value).decode().replace("\\", "\\\\")
