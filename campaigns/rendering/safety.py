"""What may not stand in a mail: anything that acts, anything that leads elsewhere than it says (A36, A45)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from django.utils.translation import gettext as _

from campaigns.rendering.guards import ALLOWED_SCHEMES
from campaigns.rendering.problems import TemplateProblem

FORBIDDEN_TAGS = frozenset(
    [
        "script",
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "base",
        "form",
        "input",
        "button",
        "textarea",
        "select",
        "link",
        "svg",
        "math",
        "template",
        "audio",
        "video",
        "source",
        "portal",
    ]
)
URL_ATTRIBUTES = frozenset(
    {"href", "src", "background", "action", "formaction", "poster", "cite", "data", "srcset", "xlink:href"}
)
LIQUID_URL_ATTRIBUTES = ("href", "src", "background")
_BAD_STYLE = re.compile(
    r"expression\s*\(|url\s*\(\s*['\"]?\s*(?!https?:|['\"]?\s*\))|@import|behavior\s*:|-moz-binding", re.I
)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(?:\r\n|\n|\f)|(.))", re.DOTALL)
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\ufeff]")
MAX_HTML = 1_000_000
CLIPPED_HTML = 100_000


def _is_bad_style(css: str) -> bool:
    """Tell whether a style acts or fetches: as written, and as browsers read it, without escapes and comments."""
    bare = _CSS_COMMENT.sub("", css)
    read = _CSS_ESCAPE.sub(_unescaped, bare)
    return any(_BAD_STYLE.search(text) for text in (css, bare, read))


def _unescaped(match: re.Match[str]) -> str:
    if not match[1]:
        return match[2] or ""
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0x110000 else "\ufffd"


class _Inspector(HTMLParser):
    """Collect what may not be there, and count what should be looked at."""

    def __init__(self, liquid_word: str) -> None:
        super().__init__(convert_charrefs=True)
        self.liquid_word = liquid_word
        self.found: list[str] = []
        self.links = 0
        self.pictures_without_words = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name.lower(): value or "" for name, value in attrs}
        if self.liquid_word in tag or any(self.liquid_word in name for name in values):
            self.found.append(_("a merge tag where an element or attribute is named"))
            return
        if tag in FORBIDDEN_TAGS or tag.startswith("mj-"):
            self.found.append(f"<{tag}>")
        if tag == "meta" and "refresh" in values.get("http-equiv", "").lower():
            self.found.append("<meta refresh>")
        if tag == "a" and values.get("href"):
            self.links += 1
        if tag == "img" and not values.get("alt"):
            self.pictures_without_words += 1
        for name, value in values.items():
            if name.startswith("on") or name == "srcdoc":
                self.found.append(f"{name}=…")
            elif name == "style" and (_is_bad_style(value) or self.liquid_word in value):
                self.found.append(f"style={value[:40]}")
            elif name in URL_ATTRIBUTES and not self._url_allowed(name, value):
                self.found.append(f"{name}={value[:60]}")

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style" and (_is_bad_style(data) or self.liquid_word in data):
            self.found.append(_("a style sheet with an import, a foreign address or a merge tag"))

    def handle_comment(self, data: str) -> None:
        if data.lstrip().lower().startswith("[if"):  # Outlook reads what stands in these
            inner = _Inspector(self.liquid_word)
            inner.feed(data.partition("]>")[2])
            inner.close()
            self.found.extend(inner.found)

    def _url_allowed(self, name: str, value: str) -> bool:
        bare = _INVISIBLE.sub("", value).lower()
        if not bare or bare.startswith("#") or bare.startswith(ALLOWED_SCHEMES):
            return True
        # Liquid at the front is judged for each person, by the safe_url filter.
        return name in LIQUID_URL_ATTRIBUTES and bare.startswith(self.liquid_word)


def inspect_html(html: str, *, liquid_word: str, field: str) -> _Inspector:
    """Look through the whole mail; raise TemplateProblem for what may not be in one."""
    if len(html) > MAX_HTML:
        raise TemplateProblem(_("The mail is larger than 1 MB; leave something out."), field=field)
    inspector = _Inspector(liquid_word)
    inspector.feed(html)
    inspector.close()
    if inspector.found:
        raise TemplateProblem(
            _("A mail may not hold %(what)s. Links must begin with https://, http://, mailto: or tel:.")
            % {"what": ", ".join(inspector.found[:3])},
            field=field,
        )
    return inspector


def wrap_liquid_urls(html: str, liquid_word: str) -> str:
    """Put `safe_url` around every address that begins with a person's value: a trait may hold `javascript:`."""

    def wrap(match: re.Match[str]) -> str:
        return f'{match[1]}="{{% capture checked_url %}}{match[2]}{{% endcapture %}}{{{{ checked_url | safe_url }}}}"'

    return re.sub(rf'\b({"|".join(LIQUID_URL_ATTRIBUTES)})="\s*({liquid_word}[^"]*)"', wrap, html)
