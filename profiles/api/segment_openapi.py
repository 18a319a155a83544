"""Segment's Profile API in the OpenAPI document: addresses and answers as theirs."""

from __future__ import annotations

from typing import Any

#: what is read -> (what it answers with, the name of its list or object, whether that is a list)
READS = {
    "traits": ("Traits, and the segments that the person is in, as audiences.", "traits", False),
    "external_ids": ("The identifiers.", "data", True),
    "events": ("What the person did, newest first.", "data", True),
    "metadata": ("When the person was first and last seen.", "", False),
    "links": ("Companies that the person belongs to.", "data", True),
}
_REFUSED = {
    "400": "A parameter has a value that it cannot have.",
    "401": "The token is missing, unknown or expired.",
    "403": "The token may not read people as they are.",
    "404": "Profile was not found.",
    "429": "Ask again after `Retry-After` seconds.",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_CURSOR = {
    "type": "object",
    "required": ["url", "has_more", "next", "limit"],
    "properties": {
        "url": {"type": "string"},
        "has_more": {"type": "boolean"},
        "next": {"type": "string", "description": "Give it as `next` to go on."},
        "limit": {"type": "integer"},
    },
}


def document() -> dict[str, Any]:
    """Return the paths and components."""
    schemas: dict[str, Any] = {"SegmentError": _ERROR, "SegmentCursor": _CURSOR}
    paths = {}
    for read, (words, name, is_list) in READS.items():
        answer = f"Segment{read.title().replace('_', '')}"
        schemas[answer] = _answer(name, is_list)
        address = f"/v1/spaces/{{space}}/collections/users/profiles/{{external_id}}/{read}"
        paths[address] = {"get": _operation(read, words, answer)}
    scheme = {"type": "http", "scheme": "basic", "description": "An API token as the user name, an empty password."}
    return {"paths": paths, "components": {"schemas": schemas, "securitySchemes": {"tokenAsUserName": scheme}}}


def _answer(name: str, is_list: bool) -> dict[str, Any]:
    anything = {"type": "object", "additionalProperties": {}}
    if not name:
        return anything
    shape = {"type": "array", "items": anything} if is_list else anything
    properties = {name: shape, "cursor": {"$ref": "#/components/schemas/SegmentCursor"}}
    return {"type": "object", "required": [name], "properties": properties}


def _operation(read: str, words: str, answer: str) -> dict[str, Any]:
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/SegmentError"}}}
    good = {"application/json": {"schema": {"$ref": f"#/components/schemas/{answer}"}}}
    return {
        "operationId": f"segment_profile_{read}",
        "summary": words,
        "tags": ["segment-profile-api"],
        "security": [{"tokenAsUserName": []}],
        "parameters": [
            _parameter("space", "path", "There is one space here: its name may be any."),
            _parameter("external_id", "path", "The person: an id, or `kind:value`."),
            _parameter("limit", "query", "Entries on a page."),
            _parameter("next", "query", "Where to go on: `cursor.next` of another page."),
        ],
        "responses": {
            "200": {"description": words, "content": good},
            **{status: {"description": text, "content": refused} for status, text in _REFUSED.items()},
        },
    }


def _parameter(name: str, place: str, words: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1} if name == "limit" else {"type": "string"}
    return {"name": name, "in": place, "required": place == "path", "description": words, "schema": schema}
