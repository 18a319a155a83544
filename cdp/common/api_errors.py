"""One shape for every refusal of the REST API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as drf_exception_handler

from cdp.common.api_fields import UNKNOWN_FIELD
from cdp.common.errors import CdpError


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every refusal as {"code", "message", "place"?, "fields"?}; SDKs and people read the same shape."""
    if isinstance(error, CdpError):
        later = error.detail.get("retry_after") if error.status == status.HTTP_429_TOO_MANY_REQUESTS else None
        return Response(error.as_dict(), status=error.status, headers={"Retry-After": str(later)} if later else None)
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(detail=list(error.messages))
    if isinstance(error, RequestDataTooBig):
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024 // 1024
        return Response(
            {"code": "body_too_large", "message": _("The body is larger than %(limit)s MB.") % {"limit": limit}},
            status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
        )
    if isinstance(error, DataError):
        return Response(
            {"code": "invalid_value", "message": _("A value cannot be stored or compared as given.")}, status=400
        )
    if isinstance(error, OperationalError):
        return Response(
            {"code": "database_busy", "message": _("The database is busy or away; try again in a moment.")},
            status=status.HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": "5"},
        )
    # Django's own two have neither a code nor words.
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    response.data = _body(error)
    return response


def _body(error: Any) -> dict[str, Any]:
    """Return the answer's body. `fields` is flat, `identifiers.0.kind` to messages, so that a client can type it."""
    detail = getattr(error, "detail", None)
    if isinstance(detail, exceptions.ErrorDetail):
        return {"code": detail.code, "message": str(detail)}
    found = list(_leaves(detail))
    code = getattr(error, "default_code", "error")
    body: dict[str, Any] = {"code": code, "message": ""}
    if found:
        place, first = found[0]
        body["message"] = f"{place}: {first}" if place else str(first)
    if any(leaf.code == UNKNOWN_FIELD for _place, leaf in found):
        body["code"] = UNKNOWN_FIELD
    fields: dict[str, list[str]] = {}
    for place, leaf in found:
        if place:
            fields.setdefault(place, []).append(str(leaf))
    if fields:
        body["fields"] = fields
    return body


def _leaves(detail: Any, place: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    """Yield each message with the path of its field; empty for what is wrong with the whole."""
    if isinstance(detail, dict):
        for name, value in detail.items():
            own = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            yield from _leaves(value, ".".join(part for part in (place, own) if part))
    elif isinstance(detail, list):
        for number, value in enumerate(detail):
            nested = isinstance(value, (dict, list))
            if not nested or value:
                yield from _leaves(value, f"{place}.{number}" if nested and place else place)
    elif isinstance(detail, exceptions.ErrorDetail):
        yield place, detail
