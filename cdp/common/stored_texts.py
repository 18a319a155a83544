"""Say in the reader's language what a worker stored in English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from django.utils.translation import gettext

_FIELD = re.compile(r"%\((\w+)\)s")


def display_stored(text: str, sentences: Iterable[str]) -> str:
    """Return `text` in the active language when it is one of `sentences`, filled in or not; else as it is.

    The sentences are marked with gettext_noop and may have fields such as `%(reply)s`.
    """
    for sentence in sentences:
        found = _pattern(sentence).fullmatch(text)
        if found:
            said = gettext(sentence)
            return said % found.groupdict() if _FIELD.search(sentence) else said
    return text


@lru_cache(maxsize=200)
def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _FIELD.split(sentence)
    fields = len(parts) > 1
    # Even parts are words, odd parts are names of fields; `%%` stands for a percent sign only beside fields.
    words = [re.escape(part.replace("%%", "%") if fields else part) for part in parts[::2]]
    names = [f"(?P<{name}>.*)" for name in parts[1::2]]
    return re.compile("".join(a + b for a, b in zip(words, [*names, ""], strict=True)), re.DOTALL)
