"""What browser SDKs fetch before they send: settings, RudderStack's source configuration, and analytics.js itself.

Every key of the settings document matters. Without "Segment.io" the library sends events to its makers' own servers;
without `metrics` its statistics; a second integration makes it load more from there. So our document names exactly one
integration and a sample rate of zero, and in the script that we serve the makers' hosts are replaced by ours.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from profiles.collector.keys import KnownSource

SCRIPT_TYPE = b"text/javascript; charset=utf-8"
#: hosts of others in the built library; each is replaced by ours, so that no path through it leads to them
FOREIGN_HOSTS = (
    "cdn.segment.com",
    "api.segment.io",
    "api.segment.com",
    "cdn-settings.segment.com",
)
_BUNDLE_NAME = re.compile(r"[A-Za-z0-9._-]+\.js")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")


def settings_document(key: str, site: str) -> bytes:
    """Return the settings for analytics.js and the mobile SDKs; `site` is scheme://host[:port]."""
    scheme, _, host = site.partition("://")
    api_host = f"{host}/v1"
    document = {
        "integrations": {"Segment.io": {"apiKey": key, "apiHost": api_host, "protocol": scheme}},
        "metrics": {"sampleRate": 0, "host": api_host},
        "plan": {"track": {"__default": {"enabled": True}}},
    }
    return json.dumps(document).encode()


def source_config(key: str, source: KnownSource) -> bytes:
    """Return what RudderStack's browser SDK checks before it sends."""
    quiet = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    document = {
        "source": {
            "id": f"source-{source.id}",
            "name": source.name,
            "writeKey": key,
            "enabled": source.enabled,
            "workspaceId": "klantbeeld",
            "config": {"statsCollection": quiet},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        }
    }
    return json.dumps(document).encode()


class Bundles:
    """The built browser SDK, read once; its write key and hosts are filled in per answer."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._texts: dict[str, str] = {}

    def script(self, key: str, site: str) -> bytes | None:
        """Return analytics.min.js for one key; None when the library is not installed (`make assets`)."""
        text = self._text("standalone.js")
        if text is None or not _KEY.fullmatch(key):
            return None
        text = _with_our_host(text, site).replace("__WRITE_KEY__", key)
        return (_preamble(key, site) + text).encode()

    def bundle(self, name: str, site: str) -> bytes | None:
        """Return one of the chunks that the script loads; None when there is none of that name."""
        if not _BUNDLE_NAME.fullmatch(name):
            return None
        text = self._text(name)
        return None if text is None else _with_our_host(text, site).encode()

    def _text(self, name: str) -> str | None:
        if name not in self._texts:
            if self._folder is None:
                return None
            try:
                self._texts[name] = (self._folder / name).read_text(encoding="utf-8")
            except OSError:
                return None
        return self._texts[name]


def _preamble(key: str, site: str) -> str:
    """Return the lines before the library: where its settings are, and that a page's address may not identify people.

    `?ajs_uid=` in a link would let anybody tie a victim's browser to another person.
    """
    return (
        "(function(){var a=window.analytics=window.analytics||[];"
        f"a._cdn=a._cdn||{json.dumps(site)};a._writeKey=a._writeKey||{json.dumps(key)};"
        "a._loadOptions=Object.assign({useQueryString:false},a._loadOptions||{});})();\n"
    )


@lru_cache(maxsize=64)
def _with_our_host(text: str, site: str) -> str:
    host = site.partition("://")[2]
    for foreign in FOREIGN_HOSTS:
        text = text.replace(f"https://{foreign}", site).replace(foreign, host)
    return text
