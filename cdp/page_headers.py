"""What every page and answer of Django tells browsers and caches, whichever view made it and however it ended."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

#: nothing of the machine is needed but the clipboard, into which keys are copied
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "browsing-topics", "camera", "clipboard-read", "display-capture",
        "encrypted-media", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection",
        "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-create",
        "screen-wake-lock", "serial", "usb", "web-share", "xr-spatial-tracking",
    )
) + ", clipboard-write=(self), fullscreen=(self)"  # fmt: skip
#: pages whose address is a key: no other page may learn it
LINK_PAGES = ("/u/", "/preferences/")
ALWAYS = {
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "credentialless",
    "X-Content-Type-Options": "nosniff",
}


class PageHeaders:
    """Middleware: nothing is kept by a cache, shown in a frame of others, or told to the next page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request. Files that are the same for everybody do not come here (cdp/web/static.py)."""
        response = self.get_response(request)
        for name, value in ALWAYS.items():
            response.setdefault(name, value)
        if "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = "no-store"
        if request.path.startswith(LINK_PAGES):
            response["Referrer-Policy"] = "no-referrer"
        return response
