"""Ready-to-paste lines that point each SDK at this installation, with its real address and key.

The lines stand in `snippet_texts`, a file each; the tests of `tests/sdks/test_snippets*.py` take them from the page and
run them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from profiles.models import Source
from profiles.models.source import SourceKind

_TEXTS = Path(__file__).parent / "snippet_texts"


@dataclass(frozen=True)
class Snippet:
    """Lines to paste."""

    slug: str
    title: Any
    note: Any
    code: str


#: (slug, which is the file's name too; title; what to install, or where it goes)
_FOR_BROWSER = (
    ("browser", _("Website"), _("Before </head>, on every page.")),
    ("npm", _("Website, from npm"), "npm install @segment/analytics-next"),
    ("rudder-browser", _("Website, RudderStack"), "npm install @rudderstack/analytics-js"),
)
_FOR_SERVER = (
    ("curl", _("Any language"), _("Plain HTTP: the key is the user name, the password is empty.")),
    ("python", "Python", "pip install segment-analytics-python"),
    ("node", "Node.js", "npm install @segment/analytics-node"),
    ("go", "Go", "go get github.com/segmentio/analytics-go/v3"),
    ("java", "Java", "com.segment.analytics.java : analytics : 3.5.4"),
    ("rudder-python", _("Python, RudderStack"), "pip install rudder-sdk-python"),
    ("rudder-node", _("Node.js, RudderStack"), "npm install @rudderstack/rudder-sdk-node"),
    ("rudder-go", _("Go, RudderStack"), "go get github.com/rudderlabs/analytics-go/v4"),
    ("rudder-java", _("Java, RudderStack"), "com.rudderstack.sdk.java.analytics : analytics : 3.1.2"),
    ("analytics-python", _("Python, the older SDK"), "pip install analytics-python"),
)


def snippets_for(source: Source, key: str) -> list[Snippet]:
    """Return the lines for this source's kind; `key` may be a placeholder where the real one is not known any more."""
    site: str = settings.SITE_URL
    scheme, _separator, host = site.partition("://")
    values = {"<<SITE>>": site, "<<SCHEME>>": scheme, "<<HOST>>": host, "<<KEY>>": key}
    entries = _FOR_BROWSER if source.kind == SourceKind.BROWSER else _FOR_SERVER
    return [Snippet(slug, title, note, _filled(slug, values)) for slug, title, note in entries]


@cache
def _text(slug: str) -> str:
    return (_TEXTS / f"{slug}.txt").read_text(encoding="utf-8").rstrip("\n")


def _filled(slug: str, values: dict[str, str]) -> str:
    text = _text(slug)
    for field, value in values.items():
        text = text.replace(field, value)
    return text
