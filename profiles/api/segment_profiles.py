"""A read API with the addresses and the JSON of Segment's Profile API: what was built on that needs another host only.

    GET /v1/spaces/<space>/collections/users/profiles/<kind:value>/{traits,external_ids,events,metadata,links}

Basic authentication with an API token as the user name and no password. There is one space here, so its name may be
any. Nothing is masked in this shape: whoever may not see names and addresses is refused.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django.urls import re_path
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cdp.common.access import client_ip, record_access
from cdp.common.api_limits import Grant, headers_of, limit_request, note_failure, refuse_guessing
from cdp.common.errors import CdpError
from cdp.common.keyset import CursorInvalid
from cdp.common.masking import PII_PERMISSION
from cdp.common.token_use import use_token
from profiles.api import segment_answers as answers
from profiles.models import Profile
from profiles.querysets.lookup import find_person

#: what is read -> (its answer, the permission that it needs)
READS: dict[str, tuple[Callable[[Profile, answers.Asked], dict[str, Any]], str]] = {
    "traits": (answers.traits, "profiles.view_profile"),
    "external_ids": (answers.external_ids, "profiles.view_profile"),
    "events": (answers.events, "profiles.view_interaction"),
    "metadata": (answers.metadata, "profiles.view_profile"),
    "links": (answers.links, "profiles.view_interaction"),
}
#: status -> code of their errors
CODES = {400: "validation_error", 401: "authentication_error", 403: "authentication_error", 404: "not_found"}
CODES |= {405: "invalid_request_error", 429: "rate_limit_error"}


class TokenAsUserName(BaseAuthentication):
    """Authenticate `Authorization: Basic <token>:`."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the token's user, narrowed to its scopes; raise when the token is not valid."""
        parts = get_authorization_header(request).split()
        if len(parts) != 2 or parts[0].lower() != b"basic":
            return None
        refuse_guessing(request)
        try:
            token = base64.b64decode(parts[1], validate=True).decode().partition(":")[0]
            return use_token(token, address=client_ip(request))
        except (binascii.Error, UnicodeDecodeError):
            note_failure(request)
            raise exceptions.AuthenticationFailed("The Authorization header cannot be read.") from None
        except CdpError as error:
            note_failure(request)
            raise exceptions.AuthenticationFailed(error.message) from None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge."""
        return "Basic"


class SegmentProfileView(APIView):
    """Answer one of the reads."""

    authentication_classes = (TokenAsUserName,)
    required_permissions: ClassVar[dict[str, str]] = {"get": "profiles.view_profile"}
    schema = None  # not of our API's shape
    grant: Grant | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Ask who it is, then how often they asked: the limit is that of the API."""
        super().initial(request, *args, **kwargs)
        self.grant = limit_request(request, bulk=False)

    def get(self, request: Request, space: str, external_id: str, read: str) -> Response:
        """Return what is asked of a person."""
        answer, permission = READS[read]
        if not request.user.has_perms([permission, PII_PERMISSION]):
            raise exceptions.PermissionDenied("This token may not read people as they are.")
        person = find_person(external_id, reader=request.user)
        if person is None:
            raise exceptions.NotFound("Profile was not found.")
        record_access(
            request=request,
            action="profile.viewed",
            object_kind="profile",
            object_id=str(person.uuid),
            detail={"segment_api": read},
        )
        path = f"/v1/spaces/{space}/collections/users/profiles/{person.uuid}/{read}"
        return Response(answer(person, answers.Asked(request.query_params, path)))

    def handle_exception(self, exc: Exception) -> Response:
        """Refuse in their shape."""
        if isinstance(exc, CursorInvalid):
            exc = exceptions.ValidationError("The parameter `next` is no cursor of this list.")
        elif isinstance(exc, CdpError) and exc.status == 429:
            exc = exceptions.Throttled(wait=exc.detail["retry_after"], detail=str(exc.message))
        elif isinstance(exc, CdpError) and exc.status < 500:
            refused = {403: exceptions.PermissionDenied, 404: exceptions.NotFound}
            exc = refused.get(exc.status, exceptions.ValidationError)(str(exc.message))
        response = super().handle_exception(exc)
        data: Any = response.data
        message = data.get("message", "") if isinstance(data, dict) else ""
        response.data = {"error": {"code": CODES.get(response.status_code, "server_error"), "message": message}}
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Name the request, as theirs do."""
        response["Request-Id"] = str(uuid.uuid4())
        response["Cache-Control"] = "no-store"
        for name, value in headers_of(self.grant).items() if self.grant else ():
            response[name] = value
        return super().finalize_response(request, response, *args, **kwargs)


urlpatterns = [
    re_path(
        rf"^v1/spaces/(?P<space>[^/\x00-\x1f]+)/collections/users/profiles/(?P<external_id>[^\x00-\x1f]+)"
        rf"/(?P<read>{'|'.join(READS)})/?$",
        SegmentProfileView.as_view(),
        name="segment_profiles",
    )
]
