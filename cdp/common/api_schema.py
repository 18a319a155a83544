"""What the OpenAPI document says beside what viewsets declare: our token, errors, keys of retries, other parts' paths.

Loaded by `CommonConfig.ready()`; `complete` is a hook of drf-spectacular (see the settings).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from cdp.common.api_idempotency import HEADER
from cdp.common.registry import api_documents

_WRITES = frozenset({"post", "put", "patch", "delete"})
_METHODS = _WRITES | {"get"}
_ERRORS = {
    "400": ("BadRequest", "Something in the request is wrong: `fields` or `place` names it."),
    "401": ("Unauthorized", "No token, or one that is unknown, revoked, expired or used from the wrong network."),
    "403": ("Forbidden", "The token's user or scopes do not allow this."),
    "404": ("NotFound", "There is nothing at this address."),
    "406": ("NotAcceptable", "`Accept` leaves out what this answers with."),
    "409": ("Conflict", "The state of things does not allow this now, or the request is under way already."),
    "413": ("TooLarge", "The body is too large."),
    "415": ("UnsupportedMediaType", "The body comes in a type that this does not take."),
    "422": ("Unprocessable", "Well formed, and yet not possible; also an `Idempotency-Key` of another request."),
    "429": ("TooManyRequests", "Ask again after `Retry-After` seconds."),
    "503": ("Unavailable", "The database is busy or away: ask again after `Retry-After` seconds."),
}
_ERROR = {
    "type": "object",
    "description": "Why a request was refused.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "Stable: programs decide by it."},
        "message": {"type": "string", "description": "For people, in the language asked for."},
        "place": {"type": "string", "description": "The part of the request that is wrong."},
        "fields": {
            "type": "object",
            "description": "By field (`identifiers.0.kind`): what is wrong with it.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "detail": {"type": "object", "additionalProperties": {}, "description": "More, by code."},
    },
}
_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Names this request: sent again with the same key it has its effect once, and the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


_USUAL = frozenset({"list", "create", "retrieve", "update", "partial_update", "destroy"})


class OperationSchema(AutoSchema):
    """Name operations as a client's methods should be called: `campaigns_list`, `campaigns_cancel`."""

    def get_operation_id(self) -> str:
        """Return the resource with what is done."""
        made = str(super().get_operation_id())
        action = getattr(self.view, "action", None)
        if not action or action in _USUAL or made.endswith("_list"):
            return made
        return f"{made.partition('_')[0]}_{action}"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the base is untyped
    """Describe the token in the OpenAPI document."""

    target_class = "cdp.common.api.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer"}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add to the document what holds for every operation, and the paths that no viewset answers."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Error"] = _ERROR
    components["responses"] = {
        name: {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
        for name, text in _ERRORS.values()
    }
    for path, method, operation in _operations(result):
        for status in _statuses(path, method, operation):
            answer = {"$ref": f"#/components/responses/{_ERRORS[status][0]}"}
            operation["responses"].setdefault(status, answer)
        if method in _WRITES:
            operation.setdefault("parameters", []).append(_KEY)
    for schema in components["schemas"].values():
        for field in schema.get("properties", {}).values():
            if field.get("default") == "" and ("allOf" in field or "enum" in field):
                del field["default"]  # not given, which is none of the choices: makers of clients stumble over it
    for name in api_documents.names():
        _add(result, api_documents.get(name)())
    result["paths"] = dict(sorted(result["paths"].items()))
    return result


def _operations(result: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    found = ["400", "401", "403", "406", "429", "503"]
    if "{" in path:
        found.append("404")
    if method in _WRITES:
        found += ["409", "422"]
    if "requestBody" in operation:
        found += ["413", "415"]
    return sorted(found)


def _add(result: dict[str, Any], document: dict[str, Any]) -> None:
    """Put a part's paths, components and tags into the document."""
    result["paths"] |= document["paths"]
    for kind, items in document.get("components", {}).items():
        result["components"].setdefault(kind, {}).update(items)
