"""No route of the API passes over what it does not know: fields, parameters and methods are refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
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
    said = answer.json() if answer.get("Content-Type") == "application/json" else {}
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


def test_answers_name_things_by_public_ids_and_times_in_one_way(world: dict[str, Any]) -> None:
    """No number of a row, `_id` for references, `_at` for moments in UTC."""
    headers = {"Authorization": f"Bearer {ApiToken.issue(user=user_of(ADMINISTRATOR), name='t')[1]}"}
    faults = []
    for name, needs in API.items():
        if "GET" not in needs or name == "exports-download":  # a file
            continue
        answer = ask(Client(), "GET", reverse(name, args=api_arguments(name, world)), headers=headers)
        assert answer.status_code == 200, (name, answer.content[:300])
        for path, key, value in entries(answer.json()):
            if key in ("id", "pk", "uuid") or key.endswith(("_id", "_ids")):
                values = value if isinstance(value, list) else [value]
                if (
                    key not in ("id", "message_id")
                    and key in ("pk", "uuid")
                    or any(isinstance(one, int) for one in values)
                ):
                    faults.append(f"{name}{path}: {value!r} is no public id")
            if isinstance(value, str) and MOMENT.match(value) and not FREE.search(path):
                if not key.endswith(("_at", "_since")):
                    faults.append(f"{name}{path}: the name of a moment ends in _at")
                if not value.endswith("Z"):
                    faults.append(f"{name}{path}: {value} is not in UTC")
            if isinstance(value, dict) and set(value) & {"pk", "uuid"} and not FREE.search(path):
                faults.append(f"{name}{path}: an id is called id")
    assert not faults, "\n".join(faults)


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
#: what others wrote: it is passed on as it was
FREE = re.compile(r"\.(traits|properties|context|evidence|payload|origins|local_time|rule)\b")


def entries(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield (path, key, value) of everything in an answer."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}.{key}", key, item
            yield from entries(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from entries(item, f"{path}[]")


def test_a_rule_names_another_segment_by_its_id(api_token: Any) -> None:
    everybody = {"include": {"type": "everyone"}, "exclude": None}
    headers, client = api_token(), Client()

    def make(body: dict[str, Any]) -> Any:
        return client.post("/api/v1/segments/", body, content_type="application/json", headers=headers)

    assert make({"name": "Base", "rule": everybody}).json()["id"] == "base"
    rule = {"include": {"type": "not", "child": {"type": "member", "segment_id": "base"}}, "exclude": None}
    made = make({"name": "Upper", "rule": rule})
    assert (made.status_code, made.json()["rule"]) == (201, rule), made.content
    by_number = {"include": {"type": "member", "segment": 1}, "exclude": None}
    assert make({"name": "Number", "rule": by_number}).status_code in (400, 422)
