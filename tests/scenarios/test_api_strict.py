"""No route of the API passes over what it does not know: fields, parameters and methods are refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cdp.common.api_views import ApiViewSet
from cdp.common.models import ApiToken
from cdp.common.registry import api_routes
from cdp.common.roles import ADMINISTRATOR
from tests.scenarios.installation import user_of
from tests.scenarios.matrix import API
from tests.scenarios.walk import api_arguments, ask

pytestmark = pytest.mark.django_db
#: parameters with an underscore are no filter of anybody's
STRANGE = "surely_unknown"


def test_every_viewset_has_the_base_that_refuses() -> None:
    assert [name for name, viewset in api_routes.items() if not issubclass(viewset, ApiViewSet)] == []


def test_what_a_route_does_not_know_is_refused_by_name(world: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {ApiToken.issue(user=user_of(ADMINISTRATOR), name='t')[1]}"}
    client, faults = Client(raise_request_exception=False), []
    for name, needs in API.items():
        path = reverse(name, args=api_arguments(name, world))
        for method in needs:
            asked = ask(
                client, method, f"{path}?{STRANGE}=1", data=b"{}", content_type="application/json", headers=headers
            )
            faults += wrong(f"{method} {path}?{STRANGE}", asked, "unknown_parameter")
            if method != "GET":
                body = f'{{"{STRANGE}": 1}}'.encode()
                asked = ask(client, method, path, data=body, content_type="application/json", headers=headers)
                faults += wrong(f"{method} {path} {{{STRANGE}}}", asked, "unknown_field")
    assert not faults, "\n".join(faults)


def wrong(what: str, answer: Any, code: str) -> list[str]:
    """Return the fault of an answer that does not refuse by name."""
    said = answer.json() if answer["Content-Type"] == "application/json" else {}
    if answer.status_code == 400 and said.get("code") == code and STRANGE in said.get("fields", {}):
        return []
    return [f"{what}: {answer.status_code} {answer.content[:200]!r}"]


NESTED: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", "profiles", {"identifiers": [{"kind": "email", "value": "a@example.org", "x": 1}]}, "identifiers.0.x"),
    ("POST", "purposes", {"name": "N", "soft_opt_in": {"evnt": "Sale"}}, "soft_opt_in.evnt"),
    ("POST", "purposes", {"name": "N", "slug": "n"}, "slug"),
    ("POST", "segments", {"name": "N", "rule": {}, "status": "live"}, "status"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), NESTED)
def test_fields_inside_and_those_that_are_only_read_are_refused_too(
    api_token: Any, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    answer = Client().generic(
        method, f"/api/v1/{path}/", json.dumps(body), content_type="application/json", headers=api_token()
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field"), answer.content
    assert field in answer.json()["fields"]


def test_the_wrong_field_is_named_by_its_path_and_nothing_else(api_token: Any) -> None:
    body = '{"identifiers": [{"kind": "email", "value": "a@example.org"}, {"kind": "email"}]}'
    answer = Client().post("/api/v1/profiles/", body, content_type="application/json", headers=api_token())
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"identifiers.1.value": ["This field is required."]}
