"""Show HTML that others wrote (mails, previews) without letting it act: its own policy, its own origin."""

from __future__ import annotations

from django.http import HttpResponse

#: no script, no form, no fetch; styles and pictures of the mail itself; links open a new tab
SANDBOX_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src 'self' data: https:; "
    "style-src 'unsafe-inline'; font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def sandboxed_html(html: str) -> HttpResponse:
    """Return `html` for an iframe of ours. A `base` makes links open in a new tab; nothing in it runs (A45)."""
    response = HttpResponse('<base target="_blank">' + html, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = SANDBOX_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
