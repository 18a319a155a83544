"""The collection API in the OpenAPI document. It answers as Segment's does, so that any SDK fits."""

from __future__ import annotations

from typing import Any

#: call -> (what it is for, the fields that it needs beside a person)
CALLS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "identify": ("Say who somebody is, and what is known of them.", {"traits": {"type": "object"}}),
    "track": ("Say what somebody did.", {"event": {"type": "string"}, "properties": {"type": "object"}}),
    "page": ("Say which page somebody looked at.", {"name": {"type": "string"}, "properties": {"type": "object"}}),
    "screen": ("Say which screen of an app was seen.", {"name": {"type": "string"}, "properties": {"type": "object"}}),
    "group": ("Say to which company somebody belongs.", {"groupId": {"type": "string"}, "traits": {"type": "object"}}),
    "alias": ("Say that two ids are one person.", {"previousId": {"type": "string"}}),
}
_NEEDED = {"track": ["event"], "group": ["groupId"], "alias": ["previousId"]}
_ID = {"type": "string", "nullable": True}
_COMMON: dict[str, dict[str, Any]] = {
    "userId": {**_ID, "description": "Your id of the person. One of `userId` and `anonymousId` is needed."},
    "anonymousId": {**_ID, "description": "The id of a device that nobody has logged in on yet."},
    "messageId": {**_ID, "maxLength": 128, "description": "Counts once per source; one is made when it is missing."},
    "timestamp": {**_ID, "format": "date-time", "description": "When it happened; now when it is missing."},
    "context": {"type": "object", "additionalProperties": {}},
    "integrations": {"type": "object", "additionalProperties": {}},
}
_REFUSED = {
    "400": "The body is no JSON, not an object, or too large.",
    "401": "The write key is missing, unknown or switched off.",
    "405": "Only POST is taken here.",
    "429": "Too many events: come again after `Retry-After` seconds.",
    "503": "Nothing was stored: come again after `Retry-After` seconds.",
}


def document() -> dict[str, Any]:
    """Return the paths and components of the collection API."""
    schemas = {_name(call): _message(call) for call in CALLS}
    schemas["CollectedMessage"] = {
        "type": "object",
        "required": ["type"],
        "description": "Any call in a batch; `type` says which.",
        "properties": {"type": {"type": "string", "enum": list(CALLS)}, **_all_fields()},
    }
    schemas["CollectBatchRequest"] = {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "maxItems": 2500, "items": {"$ref": "#/components/schemas/CollectedMessage"}},
            "sentAt": {**_ID, "format": "date-time", "description": "The sender's clock, to correct a wrong one."},
        },
    }
    schemas["CollectAnswer"] = {
        "type": "object",
        "required": ["success"],
        "properties": {"success": {"type": "boolean"}},
    }
    schemas["CollectRefusal"] = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    }
    paths = {f"/v1/{call}": _path(f"collect_{call}", words, _name(call)) for call, (words, _fields) in CALLS.items()}
    many = "Send many calls at once: up to 2,500, 500 KB, each counted for itself."
    paths["/v1/batch"] = _path("collect_batch", many, "CollectBatchRequest")
    paths["/v1/import"] = _path("collect_import", f"{many} The same as `/v1/batch`.", "CollectBatchRequest")
    scheme = {
        "type": "http",
        "scheme": "basic",
        "description": "The write key of a source as the user name, an empty password. Browsers may put it into the "
        "body as `writeKey`.",
    }
    return {"paths": paths, "components": {"schemas": schemas, "securitySchemes": {"writeKey": scheme}}}


def _name(call: str) -> str:
    return f"Collect{call.title()}Request"


def _message(call: str) -> dict[str, Any]:
    own = {name: _open(shape) for name, shape in CALLS[call][1].items()}
    needed = {"required": _NEEDED[call]} if call in _NEEDED else {}
    return {"type": "object", **needed, "properties": {**own, **_COMMON}}


def _all_fields() -> dict[str, Any]:
    every = {name: _open(shape) for _words, fields in CALLS.values() for name, shape in fields.items()}
    return {**every, **_COMMON}


def _open(shape: dict[str, Any]) -> dict[str, Any]:
    return {**shape, "additionalProperties": {}} if shape["type"] == "object" else shape


def _path(operation: str, words: str, schema: str) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    answers: dict[str, Any] = {
        "200": {
            "description": "Stored: it survives whatever happens from now on.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CollectAnswer"}}},
        }
    }
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/CollectRefusal"}}}
    answers |= {status: {"description": text, "content": refused} for status, text in _REFUSED.items()}
    return {
        "post": {
            "operationId": operation,
            "summary": words,
            "tags": ["collect"],
            "security": [{"writeKey": []}],
            "requestBody": {"required": True, "content": body},
            "responses": answers,
        }
    }
