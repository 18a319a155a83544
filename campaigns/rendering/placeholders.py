"""Keep Liquid out of the hands of Markdown, MJML and HTML parsers.

An HTML parser moves text that stands between table rows to before the table, so a `{% for %}` around rows would turn
into an empty loop; Markdown and XML stumble over other signs. So every tag is swapped for a harmless word, or for an
HTML comment where it stands between elements, and put back when all parsers are done.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

#: the pieces of Liquid in a text: raw and comment blocks whole, then tags and outputs
_LIQUID = re.compile(
    r"{%-?\s*raw\s*-?%}.*?{%-?\s*endraw\s*-?%}"
    r"|{%-?\s*comment\s*-?%}.*?{%-?\s*endcomment\s*-?%}"
    r"|{%-?\s*doc\s*-?%}.*?{%-?\s*enddoc\s*-?%}"
    r"|{%.*?%}"
    r"|{{.*?}}",
    re.DOTALL,
)
_ELEMENT = re.compile(r"<!--.*?-->|<[a-zA-Z/](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.DOTALL)


@dataclass
class Placeholders:
    """The tags taken out of one text, under names that occur nowhere else in it."""

    nonce: str = field(default_factory=lambda: "q" + secrets.token_hex(5))
    taken: list[str] = field(default_factory=list)

    def word(self, liquid: str) -> str:
        """Return a word that stands for this piece of Liquid."""
        self.taken.append(liquid)
        return f"{self.nonce}x{len(self.taken) - 1}x"

    def take_out(self, text: str, shape: Callable[[re.Match[str], str], str] | None = None) -> str:
        """Return the text with every piece of Liquid swapped; `shape` may dress the word up by its place."""

        def swap(match: re.Match[str]) -> str:
            word = self.word(match[0])
            return shape(match, word) if shape else word

        return _LIQUID.sub(swap, text)

    def put_back(self, text: str) -> str:
        """Return the text with the Liquid in its places again, whether a word or a comment stood there."""
        pattern = re.compile(rf"<!--\s*{self.nonce}x(\d+)x\s*-->|{self.nonce}x(\d+)x")
        return pattern.sub(lambda match: self.taken[int(match[1] or match[2])], text)

    def text_of(self, text: str) -> bool:
        """Tell whether the text holds a placeholder."""
        return self.nonce in text

    def comments_to_text(self, html: str) -> str:
        """Return HTML in which the comments are words, so that a converter to plain text keeps them."""
        between_rows = re.compile(
            rf"(?<=</tr>)\s*((?:<!--{self.nonce}x\d+x-->\s*)+)|(<tbody>)\s*((?:<!--{self.nonce}x\d+x-->\s*)+)"
        )

        def as_row(match: re.Match[str]) -> str:
            words = re.sub(r"<!--|-->|\s+", "", match[1] or match[3])
            return f"{match[2] or ''}<tr><td>{words}</td></tr>"

        html = between_rows.sub(as_row, html)
        return re.sub(rf"<!--({self.nonce}x\d+x)-->", r"\1", html)


def take_out_of_markup(source: str, places: Placeholders) -> str:
    """Swap Liquid in MJML or HTML: block tags between elements become comments, everything else words."""
    spans = [(match.start(), match.end()) for match in _ELEMENT.finditer(_blanked(source))]

    def shape(match: re.Match[str], word: str) -> str:
        inside = any(start < match.start() < end for start, end in spans)
        return word if inside or match[0].startswith("{{") else f"<!--{word}-->"

    return places.take_out(source, shape)


def _blanked(source: str) -> str:
    """Return the source with Liquid overwritten by letters of the same length, so that its signs mislead nobody."""
    return _LIQUID.sub(lambda match: "x" * len(match[0]), source)
