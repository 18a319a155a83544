"""Refusals of the REST API that no viewset makes: of addresses, of middleware, of errors that nobody caught."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

API_PREFIX = "/api/"
#: the one version that there is
API_BASE = "/api/v1/"
#: a person in an address: an id, or `kind:value`, whose value may hold slashes
PERSON_PATH = r"[^/:\x00-\x1f]+|[^/:\x00-\x1f]+:[^\x00-\x1f]+"


def is_api(request: HttpRequest) -> bool:
    """Tell whether a program asks, which is to be answered in JSON."""
    return request.path_info.startswith(API_PREFIX) or request.path_info == API_PREFIX.rstrip("/")


def refusal(status: int, code: str, message: object) -> JsonResponse:
    """Return {"code", "message"} with a status."""
    response = JsonResponse({"code": code, "message": str(message)}, status=status)
    response["Cache-Control"] = "no-store"
    return response
