"""One shape for every refusal of the REST API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from cdp.common.errors import CdpError


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every refusal as {"code", "message", "place"?, "fields"?}; SDKs and people read the same shape."""
    if isinstance(error, CdpError):
        return Response(error.as_dict(), status=error.status)
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
    detail = getattr(error, "detail", None)
    body: dict[str, Any] = {"code": getattr(error, "default_code", "error"), "message": _first_message(detail)}
    if isinstance(detail, dict):
        body["fields"] = detail
    elif isinstance(detail, exceptions.ErrorDetail):
        body["code"] = detail.code
    response.data = body
    return response


def _first_message(detail: Any) -> str:
    if isinstance(detail, dict):
        name, value = next(iter(detail.items()), ("", ""))
        return f"{name}: {_first_message(value)}"
    if isinstance(detail, list):
        return _first_message(detail[0]) if detail else ""
    return str(detail or "")
