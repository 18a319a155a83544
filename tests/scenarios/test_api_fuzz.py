"""schemathesis over the whole OpenAPI document: no 5xx by any input, and no answer that the document does not promise.

Derandomised: the same requests on every run. Each request is rolled back, so that none spoils the next.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance
from schemathesis.core.result import Ok

from cdp.common.models import ApiToken
from cdp.common.roles import ADMINISTRATOR
from tests.scenarios.installation import user_of

pytestmark = pytest.mark.django_db
#: a cursor, a person or a rule that is well formed may still be of nothing that there is: refused with a 400
NOT_ASKED = [positive_data_acceptance]
#: requests of each kind per operation; `FUZZ_EXAMPLES=200` looks longer
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
#: of a collection; what its address is filled with, from the world
IDS = {
    "profiles": "person", "permissions": "person", "sources": "source", "imports": "import",
    "consent-records": "record", "purposes": "purpose", "segments": "segment", "lists": "list", "messages": "message",
    "campaigns": "campaign", "deliveries": "delivery",
}  # fmt: skip


class RolledBack:
    """The site as WSGI, in the transaction of the test; what a request did is undone after it."""

    def __init__(self) -> None:
        self.site = get_wsgi_application()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        with transaction.atomic():
            answer = self.site(environ, start_response)
            body = b"".join(answer)
            answer.close()
            transaction.set_rollback(True)
        return [body]


def test_no_input_breaks_a_route_or_the_document(world: dict[str, Any], caplog: Any, settings_of_fuzz: None) -> None:
    headers = {"Authorization": f"Bearer {ApiToken.issue(user=user_of(ADMINISTRATOR), name='t')[1]}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", RolledBack(), headers=headers)
    fill_in(schema.raw_schema, world)
    faults: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if not operation.path.startswith("/api/"):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try_operation(operation, mode, headers, faults, done)
    summary = f"schemathesis: {sum(done.values())} requests to {len(done)} operations, {len(faults)} faults"
    sys.stdout.write(summary + "\n")
    assert not faults, "\n\n".join([summary, *faults])


def try_operation(operation: Any, mode: Any, headers: dict[str, str], faults: Counter[str], done: Counter[str]) -> None:
    """Send some requests to an operation and note what is wrong with the answers."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis_settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    def send(case: Any) -> None:
        done[operation.label] += 1
        try:
            case.call_and_validate(headers=headers, excluded_checks=NOT_ASKED)
        except (AssertionError, BaseExceptionGroup) as error:
            text = str(error) if not isinstance(error, BaseExceptionGroup) else "\n".join(map(str, error.exceptions))
            faults[f"{operation.label} ({mode.name}): {text[:1500]}"] += 1

    try:
        send()
    except Exception as error:  # nothing can be generated: a body without a wrong form
        if type(error).__name__ not in ("Unsatisfiable", "SkipTest"):
            raise


def fill_in(schema: dict[str, Any], world: dict[str, Any]) -> None:
    """Name in the document the things that there are, so that requests reach what is behind their address."""
    for path, item in schema["paths"].items():
        kind = path.removeprefix("/api/v1/").partition("/")[0]
        for operation in item.values():
            for parameter in operation.get("parameters", ()) if isinstance(operation, dict) else ():
                if parameter.get("in") == "path" and kind in IDS:
                    thing = world[IDS[kind]]
                    found = thing.slug if kind in ("sources", "purposes", "segments", "lists") else thing.uuid
                    parameter["schema"] = {"type": "string", "enum": [str(found)]}


@pytest.fixture
def settings_of_fuzz(settings: Any) -> Iterator[None]:
    """Answer schemathesis's host, and keep the connection of the test's transaction open, as Django's client does."""
    settings.ALLOWED_HOSTS = ["*"]
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)
