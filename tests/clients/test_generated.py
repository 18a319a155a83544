"""Clients that others' tools make of our OpenAPI document import, compile, and work against the running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from cdp.common.models import ApiToken
from cdp.common.roles import ADMINISTRATOR
from profiles.models import Profile
from tests.clients.tools import HERE, environment, generated, missing, run
from tests.live import Site
from tests.scenarios.installation import user_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def schema() -> dict[str, Any]:
    """The document, as a client is given it."""
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return json.loads(json.dumps(made, default=str))  # type: ignore[no-any-return]


@pytest.fixture
def reader(site: Site) -> dict[str, str]:
    """Where the server is, and a token for it."""
    _row, token = ApiToken.issue(user=user_of(ADMINISTRATOR), name="client")
    return {"URL": site.url, "TOKEN": token}


def check(said: str) -> None:
    """Hold what a client found against what is there: five people, one of them written twice."""
    found = json.loads(said.strip().splitlines()[-1])
    assert found == {
        "same": True,
        "email": "p3@client.example",
        "walked": Profile.objects.count(),
        "error": "unknown_person",
    }


def test_openapi_python_client(schema: dict[str, Any], reader: dict[str, str]) -> None:
    if reason := missing():
        pytest.skip(reason)
    folder = generated("openapi-python-client", schema)
    check(
        run(
            [str(environment() / "python"), str(HERE / "programs" / "attrs_client.py")],
            PYTHONPATH=str(folder),
            **reader,
        )
    )


def test_openapi_generator_for_python(schema: dict[str, Any], reader: dict[str, str]) -> None:
    if reason := missing("java"):
        pytest.skip(reason)
    folder = generated("python", schema) / "out"
    program = HERE / "programs" / "generator_client.py"
    check(run([str(environment() / "python"), str(program)], PYTHONPATH=str(folder), **reader))


def test_openapi_generator_for_typescript(schema: dict[str, Any], reader: dict[str, str], tmp_path: Path) -> None:
    bundler = Path(settings.BASE_DIR) / "node_modules" / ".bin" / "esbuild"
    if reason := missing("java", "node") or ("" if bundler.exists() else "esbuild is not installed: make test"):
        pytest.skip(reason)
    folder = generated("typescript-fetch", schema) / "out"
    bundle = tmp_path / "client.mjs"
    run(
        [
            str(bundler), str(HERE / "programs" / "fetch_client.ts"), "--bundle", "--platform=node", "--format=esm",
            f"--alias:klantbeeld-client={folder / 'index.ts'}", f"--outfile={bundle}", "--log-level=warning",
        ]
    )  # fmt: skip
    check(run(["/usr/bin/env", "node", str(bundle)], **reader))
