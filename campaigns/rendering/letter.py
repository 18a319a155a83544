"""The letter: Markdown with merge tags, turned into plain HTML."""

from __future__ import annotations

import re

import nh3
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt

from campaigns.rendering.placeholders import Placeholders
from campaigns.rendering.problems import TemplateProblem

#: reading a paragraph takes up to the square of its length, so that is what is bounded: 0.2 s for the worst one
MAX_PARAGRAPH = 20_000
MAX_LETTER = 200_000
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False}).enable("table")
_TAGS_ONLY = re.compile(r"^\s*(?:{%.*?%}\s*)+$")
_OPENING = re.compile(r"{%-?\s*(if|unless|for|case|capture|tablerow|ifchanged)\b")
_CLOSING = re.compile(r"{%-?\s*end(if|unless|for|case|capture|tablerow|ifchanged)\b")
_LIST_ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)])\s")
_ALLOWED_TAGS = {
    "a", "b", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "hr", "i", "img", "li", "ol", "p", "pre",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ALLOWED_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width"},
    "td": {"align"},
    "th": {"align"},
}


def letter_html(source: str, places: Placeholders) -> str:
    """Return the letter as clean HTML; Liquid stands in it as placeholders."""
    shaped = _shape_block_tags(source, places)
    shaped = places.take_out(shaped)
    if len(shaped) > MAX_LETTER or any(len(part) > MAX_PARAGRAPH for part in _BLANK_LINE.split(shaped)):
        raise TemplateProblem(
            _("A letter has up to %(letter)s characters, and a paragraph up to %(paragraph)s; put empty lines between.")
            % {"letter": MAX_LETTER // 2, "paragraph": MAX_PARAGRAPH},
            field="body",
        )
    html = _MARKDOWN.render(shaped)
    html = _undress(html, places.nonce)
    return nh3.clean(
        html,
        tags=_ALLOWED_TAGS,
        attributes=_ALLOWED_ATTRIBUTES,
        strip_comments=False,
        link_rel=None,
        url_schemes={"http", "https", "mailto", "tel"},
    )


def _shape_block_tags(source: str, places: Placeholders) -> str:
    """Give block tags that stand on a line of their own the shape of what they stand between.

    A loop around table rows must become a row, one around list items an item, else Markdown would end the table or
    swallow the tag; all tags of one construct take the same shape, so that the HTML stays properly nested.
    """
    lines = source.replace("\r\n", "\n").split("\n")
    shapes = _common_shapes(lines)
    shaped: list[str] = []
    for number, line in enumerate(lines):
        if number not in shapes:
            shaped.append(line)
            continue
        word = places.word(line.strip()) + "own"
        kind, lead = shapes[number]
        if kind == "row":
            shaped.append(f"|{word}|")
        elif kind == "item":
            shaped.append(f"{lead}{word}")
        else:
            shaped.extend(["", word, ""])
    return "\n".join(shaped)


def _common_shapes(lines: list[str]) -> dict[int, tuple[str, str]]:
    shapes: dict[int, tuple[str, str]] = {}
    construct: list[list[int]] = []
    for number, line in enumerate(lines):
        if not _TAGS_ONLY.match(line):
            continue
        shapes[number] = _shape_by_neighbours(lines, number)
        opens, closes = len(_OPENING.findall(line)), len(_CLOSING.findall(line))
        if opens > closes:
            construct.append([number])
            continue
        if construct:
            construct[-1].append(number)
        if closes > opens and construct:
            members = construct.pop()
            kinds = {shapes[member][0] for member in members}
            if len(kinds) > 1:
                for member in members:
                    shapes[member] = ("paragraph", "")
    return shapes


def _shape_by_neighbours(lines: list[str], number: int) -> tuple[str, str]:
    for step in (1, -1):
        at = number + step
        while 0 <= at < len(lines) and _TAGS_ONLY.match(lines[at]):
            at += step
        if not 0 <= at < len(lines):
            continue
        if lines[at].lstrip().startswith("|"):
            return "row", ""
        if item := _LIST_ITEM.match(lines[at]):
            return "item", item[0]
    return "paragraph", ""


def _undress(html: str, nonce: str) -> str:
    """Turn the rows, items and paragraphs that only carry a block tag into comments."""
    word = rf"({nonce}x\d+x)own"
    html = re.sub(rf"<tr>\s*<t[dh][^>]*>{word}</t[dh]>(?:\s*<t[dh][^>]*></t[dh]>)*\s*</tr>", r"<!--\1-->", html)
    html = re.sub(rf"<li>\s*(?:<p>)?{word}(?:</p>)?\s*</li>", r"<!--\1-->", html)
    html = re.sub(rf"<p>\s*{word}\s*</p>", r"<!--\1-->", html)
    return re.sub(word, r"\1", html)
