"""How the web process refuses before Django is asked: JSON for programs, elsewhere a page in the reader's language."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cdp.common.asgi import Scope, Send, send_whole
from cdp.page_headers import ALWAYS
from cdp.web.routes import PROGRAMS
from cdp.web.scopes import header


@dataclass(frozen=True)
class EarlyRefusal:
    """A status, a stable code, a heading and a sentence; `%(mb)s` in it is the limit."""

    status: int
    code: str
    heading: str
    text: str
    retry_after: int = 0
    mb: str = ""


class Refused(Exception):
    """Answer with this refusal."""

    def __init__(self, refusal: EarlyRefusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def too_large(limit: int) -> EarlyRefusal:
    """Refuse a body over `limit` bytes."""
    return EarlyRefusal(
        413,
        "body_too_large",
        gettext_noop("This is too large"),
        gettext_noop("At most %(mb)s MB can be sent to this address."),
        mb=f"{limit / 2**20:.3g}",
    )


TOO_SLOW = EarlyRefusal(
    408,
    "body_too_slow",
    gettext_noop("This took too long"),
    gettext_noop("What you sent did not arrive in time. Try again, perhaps over a better connection."),
)
BROKEN_OFF = EarlyRefusal(
    400, "body_broken_off", gettext_noop("This broke off"), gettext_noop("The connection closed too early. Try again.")
)
BUSY = EarlyRefusal(
    503,
    "busy",
    gettext_noop("Too busy just now"),
    gettext_noop("More is asked than can be answered at this moment. Try again in a few seconds."),
    retry_after=5,
)
NO_ROOM = EarlyRefusal(
    503,
    "disk_full",
    gettext_noop("No room for this"),
    gettext_noop("The server's disk has no room for this file. Tell an administrator."),
    retry_after=60,
)
OF_READING = {"too_slow": TOO_SLOW, "broken_off": BROKEN_OFF, "busy": BUSY}


async def send_refusal(scope: Scope, send: Send, refusal: EarlyRefusal) -> None:
    """Answer; nothing of this asks the database."""
    language = _language(scope)
    if scope["path"].startswith(PROGRAMS):
        kind, body = b"application/json", _json(refusal, language)
    else:
        kind, body = b"text/html; charset=utf-8", _page(refusal, language)
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
    headers += [(b"cache-control", b"no-store"), (b"content-security-policy", b"default-src 'self'")]
    if refusal.retry_after:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    await send_whole(send, refusal.status, headers, b"" if scope["method"] == "HEAD" else body)


_COOKIE = re.compile(rb"(?:^|;)\s*" + re.escape(settings.LANGUAGE_COOKIE_NAME).encode() + rb"=([a-z]{2})\b")


def _language(scope: Scope) -> str:
    cookie = _COOKIE.search(header(scope, b"cookie"))
    wanted = (cookie[1] if cookie else header(scope, b"accept-language")[:2]).decode("latin-1").lower()
    return wanted if wanted in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


@lru_cache(maxsize=256)
def _json(refusal: EarlyRefusal, language: str) -> bytes:
    with translation.override(language):
        return json.dumps({"code": refusal.code, "message": _(refusal.text) % {"mb": refusal.mb}}).encode()


@lru_cache(maxsize=256)
def _page(refusal: EarlyRefusal, language: str) -> bytes:
    with translation.override(language):
        shown = {"heading": _(refusal.heading), "text": _(refusal.text) % {"mb": refusal.mb}, "status": refusal.status}
        return render_to_string("refused_early.html", shown).encode()
