"""What a reader without permission must not see: each value that tells who somebody is, and all ways to write it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_TOKEN = re.compile(rb"[A-Za-z0-9_\-+/%]{16,}={0,2}")


class Secrets:
    """Values that were handed out, with where each of them was put."""

    def __init__(self) -> None:
        self.where: dict[str, str] = {}

    def word(self, place: str) -> str:
        """Return a name that stands nowhere else."""
        return self.note(f"Quaffel{chr(97 + len(self.where) // 26)}{chr(97 + len(self.where) % 26)}vos", place)

    def address(self, place: str) -> str:
        """Return a mail address that stands nowhere else."""
        return f"{self.word(place).lower()}@secret.example"

    def note(self, value: str, place: str) -> str:
        """Take a value in as it is."""
        self.where[value] = place
        return value

    def found_in(self, answer: bytes) -> list[str]:
        """Return the places whose value an answer shows, however it is written."""
        readings = [answer.lower(), *(reading.lower() for reading in _decoded(answer))]
        return [
            f"{place} ({value})"
            for value, place in self.where.items()
            if any(form in reading for form in forms(value) for reading in readings)
        ]


def forms(value: str) -> set[bytes]:
    """Return the ways to write a value, in lower case."""
    written = {value, quote(value), quote_plus(value), quote(quote(value)), html.escape(value), json.dumps(value)[1:-1]}
    encoded = {"".join(f"&#{ord(sign)};" for sign in value), "".join(f"\\u{ord(sign):04x}" for sign in value)}
    found = {text.lower().encode() for text in written | encoded}
    for shift in range(3):  # base64 of a longer text has the value at one of three alignments
        inner = base64.b64encode(b"\0" * shift + value.encode())
        cut = inner[4 if shift else 0 : len(inner) - len(inner) % 4 - 4]
        if len(cut) >= 12:
            found.add(cut.lower())
    return found


def _decoded(answer: bytes) -> Iterator[bytes]:
    """Yield what stands in tokens: cursors, signed values."""
    for token in set(_TOKEN.findall(answer)):
        text = token.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        try:
            yield base64.b64decode(text + b"=" * (-len(text) % 4))
        except ValueError:
            continue
