"""Of a file that was compressed beforehand the reader gets what it can read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from cdp.web.static import StaticFiles
from tests import asynchronous


@pytest.mark.parametrize("encoding", ["", "gzip, br"])
def test_the_compressed_form_goes_to_who_takes_it(settings: Settings, tmp_path: Path, encoding: str) -> None:
    text = b"let a = 1;\n" * 50_000
    (tmp_path / "a.js").write_bytes(text)
    (tmp_path / "a.js.gz").write_bytes(gzip.compress(text))
    settings.STATIC_ROOT, settings.WHITENOISE_USE_FINDERS, settings.WHITENOISE_AUTOREFRESH = tmp_path, False, False
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"path": "/static/a.js", "method": "GET", "headers": [(b"accept-encoding", encoding.encode())]}
    assert asynchronous.run(StaticFiles()(scope, send))
    headers = dict(sent[0]["headers"])
    body = b"".join(message["body"] for message in sent[1:])
    assert headers[b"vary"] == b"Accept-Encoding"
    assert headers.get(b"content-encoding", b"") == (b"gzip" if encoding else b"")
    assert (gzip.decompress(body) if encoding else body) == text
    assert not sent[-1].get("more_body")
