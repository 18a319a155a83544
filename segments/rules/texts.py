"""Words for people: marked here for translation, translated by the caller."""

from __future__ import annotations

from collections.abc import Callable

Translate = Callable[[str], str]


def gettext_noop(text: str) -> str:
    """Mark a text for the translators and return it as it is."""
    return text
