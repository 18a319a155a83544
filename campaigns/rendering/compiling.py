"""Compile a message once, at save: everything that parsers do, so that a send only renders Liquid."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

import css_inline
import mjml
from django.utils.translation import gettext as _
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from campaigns.rendering.engine import parse, render
from campaigns.rendering.layout import footer_section, footer_text, letter_document
from campaigns.rendering.letter import letter_html
from campaigns.rendering.placeholders import Placeholders, take_out_of_markup
from campaigns.rendering.problems import RenderFailure, TemplateProblem, Warning
from campaigns.rendering.safety import CLIPPED_HTML, inspect_html, wrap_liquid_urls
from campaigns.rendering.sizes import check_elements, check_tags
from campaigns.rendering.variables import ROOTS, Use, uses_of
from profiles.identity.trait_names import canonical_name

_INLINER = css_inline.CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)
_TEXT_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=True, display_anchors=False)
#: fonts that MJML would have every reader fetch from a third party
_WEB_FONT = re.compile(r"<link\b[^>]*>|@import\s+url\([^)]*\)\s*;?", re.IGNORECASE)
_RAW = re.compile(r"{%-?\s*raw\b")
#: how inscriptis writes a link
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^()\s]+)\)")
_BODY_END = re.compile(r"</mj-body\s*>", re.IGNORECASE)

#: a person without anything, to try a template on before anyone gets it
EMPTY_CONTEXT: dict[str, Any] = {
    "person": {},
    "data": {},
    "links": {"unsubscribe": "https://example.org/u", "preferences": "https://example.org/p"},
    "sender": {"identity": "-"},
    "purpose": {"name": "-", "basis": "-"},
}


@dataclass(frozen=True)
class Draft:
    """What the marketer wrote."""

    subject: str
    body: str
    format: str  # letter | mjml
    preheader: str = ""


@dataclass(frozen=True)
class Compiled:
    """What a send needs, and what the writer should know."""

    html: str
    text: str
    uses: tuple[Use, ...] = ()
    warnings: tuple[Warning, ...] = field(default=())


def compile_message(draft: Draft, *, known_traits: Collection[str] | None = None) -> Compiled:
    """Check and compile a message; raise TemplateProblem with the place and the remedy (A32).

    `known_traits` are the traits seen in the base; a mention of another one gives a warning.
    """
    uses = [*_checked(draft.subject, "subject"), *_checked(draft.preheader, "preheader"), *_checked(draft.body, "body")]
    places = Placeholders()
    preheader = escape(places.take_out(draft.preheader))
    footer = take_out_of_markup(footer_section(), places)
    if draft.format == "mjml":
        document = _own_design(draft.body, preheader, footer, places)
        fragment = ""
    else:
        fragment = letter_html(draft.body, places)
        document = letter_document(fragment, preheader, footer)
    html = _INLINER.inline(_mjml_to_html(document, draft.body))
    seen = inspect_html(html, liquid_word=places.nonce, field="body")
    text = _plain_text(fragment or html, places, with_footer=draft.format != "mjml")
    compiled_html = places.put_back(wrap_liquid_urls(html, places.nonce))
    compiled_text = places.put_back(text)
    warnings = _warnings(uses, known_traits)
    if len(compiled_html.encode()) > CLIPPED_HTML:
        warnings.append(Warning("large", _("The mail is larger than 100 KB; Gmail cuts such mails off at the end.")))
    if seen.pictures_without_words:
        warnings.append(
            Warning("alt", _("A picture has no text alternative; people who do not see pictures miss what it says."))
        )
    compiled = Compiled(compiled_html, compiled_text, tuple(uses), tuple(warnings))
    _try_on_nobody(draft, compiled)
    return compiled


def _checked(source: str, place: str) -> list[Use]:
    if "\x00" in source:
        raise TemplateProblem(_("The text holds a NUL character; take it out."), field=place)
    if raw := _RAW.search(source):
        line = source.count("\n", 0, raw.start()) + 1
        raise TemplateProblem(_("The tag “raw” cannot be used in a mail."), field=place, line=line)
    check_tags(source, field=place)
    uses = uses_of(parse(source, field=place, html=place == "body"), source)
    for use in uses:
        if use.root not in ROOTS:
            raise TemplateProblem(
                _("“%(name)s” is unknown. Values of a person begin with person., such as {{ person.%(name)s }}.")
                % {"name": use.root},
                field=place,
                line=use.line,
            )
    return uses


def _own_design(body: str, preheader: str, footer: str, places: Placeholders) -> str:
    check_elements(body, field="body")
    source = take_out_of_markup(body, places)
    if "<mjml" not in source or not _BODY_END.search(source):
        raise TemplateProblem(
            _("An own design begins with <mjml><mj-body> and ends with </mj-body></mjml>."), field="body"
        )
    if preheader and "<mj-preview" not in source:
        preview = f"<mj-preview>{preheader}</mj-preview>"
        if "<mj-head>" in source:
            source = source.replace("<mj-head>", f"<mj-head>{preview}", 1)
        else:
            source = re.sub(r"(<mjml[^>]*>)", rf"\1<mj-head>{preview}</mj-head>", source, count=1)
    ends = list(_BODY_END.finditer(source))
    return source[: ends[-1].start()] + footer + source[ends[-1].start() :]


def _mjml_to_html(document: str, body: str) -> str:
    try:
        return _WEB_FONT.sub("", str(mjml.mjml2html(document)))
    except Exception as error:  # noqa: BLE001 - the binding raises bare ValueError and, on odd input, others
        line, reason = _xml_place(body)
        raise TemplateProblem(
            _("The design cannot be read: %(reason)s. Every tag must be closed, and < written as &lt;.")
            % {"reason": reason or error},
            field="body",
            line=line,
        ) from None


def _xml_place(body: str) -> tuple[int, str]:
    """Return the line and reason of the first XML error; the MJML library names none."""
    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        return error.lineno, expat.ErrorString(error.code)
    return 0, ""


def _plain_text(html: str, places: Placeholders, *, with_footer: bool) -> str:
    text = get_text(f"<html><body>{places.comments_to_text(html)}</body></html>", _TEXT_CONFIG)
    lines = [line.rstrip() for line in text.strip().split("\n")]
    text = _LINK.sub(_link_text, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)))
    # A line with nothing but a block tag would leave an empty line behind in every mail.
    text = re.sub(rf"(?m)^[ ]*((?:{places.nonce}x\d+x)+)[ ]*\n", lambda m: _swallow_line(m, places), text)
    return text + (places.take_out(footer_text()) if with_footer else "\n")


def _link_text(match: re.Match[str]) -> str:
    """Return `words <address>`: an address between angle brackets stays whole in any mail program (RFC 3986, C)."""
    words, address = match[1].strip(), match[2]
    return address if words in ("", address) else f"{words} <{address}>"


def _swallow_line(match: re.Match[str], places: Placeholders) -> str:
    numbers = [int(number) for number in re.findall(r"x(\d+)x", match[1])]
    only_tags = all(places.taken[number].startswith("{%") for number in numbers)
    return match[1] if only_tags else match[0]


def _warnings(uses: list[Use], known_traits: Collection[str] | None) -> list[Warning]:
    warnings: list[Warning] = []
    said: set[tuple[str, str]] = set()
    for use in uses:
        if use.root != "person" or not use.key:
            continue
        if use.printed and not use.covered and ("gap", use.key) not in said:
            said.add(("gap", use.key))
            message = _('{{ person.%(key)s }} prints nothing for people without it; add | default: "…".')
            warnings.append(Warning("no_default", message % {"key": use.key}, line=use.line))
        if known_traits is not None and canonical_name(use.key) not in known_traits and ("new", use.key) not in said:
            said.add(("new", use.key))
            message = _("Nobody has a trait “%(key)s” yet.")
            warnings.append(Warning("unknown_trait", message % {"key": use.key}, line=use.line))
    return warnings


def _try_on_nobody(draft: Draft, compiled: Compiled) -> None:
    """Render for a person without traits: limits and stray tags show at save, not at send."""
    for place, source, html in (
        ("subject", draft.subject, False),
        ("body", compiled.html, True),
        ("body", compiled.text, False),
    ):
        try:
            result = render(parse(source, field=place, html=html), EMPTY_CONTEXT)
        except RenderFailure as failure:
            raise TemplateProblem(
                _("The template cannot be filled in: %(reason)s.") % {"reason": failure.detail}, field=place
            ) from None
        if place == "body" and EMPTY_CONTEXT["links"]["unsubscribe"] not in result:
            raise TemplateProblem(
                _("The unsubscribe link does not come through; a block around the whole text may stay open."),
                field="body",
            )
