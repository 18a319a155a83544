"""What a reader without permission must not see: each value that tells who somebody is, and all ways to write it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

_TOKEN = re.compile(r"[A-Za-z0-9_\-+/]{16,}={0,2}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_WORD = re.compile(r"quaffel[a-z]{2}vos")


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
        found: set[str] = set()
        words = {value.lower(): value for value in self.where if _WORD.fullmatch(value.lower())}
        others = [value for value in self.where if value.lower() not in words]
        for reading in readings(answer.decode(errors="replace")):
            found |= {words[hit] for hit in _WORD.findall(reading) if hit in words}
            found |= {value for value in others if value.lower() in reading}
        return sorted(f"{self.where[value]} ({value})" for value in found)


def readings(text: str) -> Iterator[str]:
    """Yield an answer in lower case as it stands, and with each way to write a character taken back."""
    plain = text.lower()
    yield plain
    for undone in (html.unescape(plain), unquote_plus(plain), unquote_plus(unquote_plus(plain))):
        if undone != plain:
            yield undone
    if "\\u" in plain:
        yield _ESCAPE.sub(lambda hit: chr(int(hit[1], 16)), plain)
    yield from _decoded(text)


def _decoded(text: str) -> Iterator[str]:
    """Yield what stands in tokens: cursors, signed values. A dot ends the payload of a token and begins its seal."""
    for token in set(_TOKEN.findall(text)):
        sound = token.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            yield base64.b64decode(sound + "=" * (-len(sound) % 4)).decode(errors="replace").lower()
        except ValueError:
            continue
