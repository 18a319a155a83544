"""What every part of the REST API shares: who asks, what they may, what bodies are taken.

The settings name these classes, so this module may not import `rest_framework.views` (a circle): the error handler
and the schema's part are in modules of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from cdp.common.access import client_ip
from cdp.common.api_limits import note_failure, refuse_guessing
from cdp.common.errors import CdpError
from cdp.common.models import ApiToken
from cdp.common.token_scopes import lacks_scope, scopes_giving
from cdp.common.token_use import use_token

MAX_DEPTH = 20


class TokenAuthentication(BaseAuthentication):
    """Authenticate `Authorization: Bearer <token>`."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        """Return the token's user, narrowed to its scopes; None without a Bearer header; raise when it is not valid."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise exceptions.AuthenticationFailed(_("Write the header as: Authorization: Bearer <token>"))
        refuse_guessing(request)
        try:
            return use_token(parts[1].decode("utf-8", "replace"), address=client_ip(request))
        except CdpError as error:
            note_failure(request)
            raise exceptions.AuthenticationFailed(error.message, code=error.code) from None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge, so that a missing token answers 401 and not 403."""
        return "Bearer"


class StrictModelPermissions(BasePermission):
    """Ask for a permission on every method, reading too; a view that names none is closed.

    A view names `required_permissions = {"list": "app.view_thing", "*": "app.change_thing"}` by action (or lower-case
    method for plain views), or has a queryset, whose model's view/add/change/delete permissions are asked.
    """

    VERBS: Mapping[str, str] = {
        "GET": "view",
        "HEAD": "view",
        "OPTIONS": "view",
        "POST": "add",
        "PUT": "change",
        "PATCH": "change",
        "DELETE": "delete",
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the user holds the permission that this action needs."""
        if not request.user or not request.user.is_authenticated:
            return False
        if not hasattr(view, (request.method or "").lower()):
            return True  # there is no such method: refused as that, right after this
        needed = self.permission_for(request, view)
        if not needed or request.user.has_perm(needed):
            return bool(needed)
        if lacks_scope(request.user, needed):
            wanted = " / ".join(scopes_giving(needed))
            raise exceptions.PermissionDenied(
                _("This token lacks the scope %(scope)s.") % {"scope": wanted or "-"}, code="scope_missing"
            )
        return False

    def permission_for(self, request: Request, view: Any) -> str:
        """Return the permission's name; empty when nothing states one."""
        table: Mapping[str, str] = getattr(view, "required_permissions", {})
        action = getattr(view, "action", None) or (request.method or "").lower()
        if action == "metadata":
            action = "list"
        if action in table or "*" in table:
            return table.get(action) or table["*"]
        queryset = getattr(view, "queryset", None)
        if queryset is None:
            return ""
        meta = queryset.model._meta
        return f"{meta.app_label}.{self.VERBS.get(request.method or '', '')}_{meta.model_name}"


class StrictJSONParser(JSONParser):
    """Parse JSON that PostgreSQL can hold: no NaN, no NUL, no lone surrogates, no abyss of brackets."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the decoded body; raise ParseError naming what is wrong."""
        raw = stream.read()
        try:
            text = raw.decode("utf-8-sig")
            data = json.loads(text, parse_constant=self._refuse_constant, parse_float=self._finite)
        except RecursionError:
            raise exceptions.ParseError(_("The JSON is nested too deeply.")) from None
        except UnicodeDecodeError:
            raise exceptions.ParseError(_("The body must be UTF-8.")) from None
        except ValueError as error:
            raise exceptions.ParseError(_("This is not valid JSON: %(reason)s") % {"reason": error}) from None
        self._check(data, 0)
        return data

    @staticmethod
    def _refuse_constant(name: str) -> Any:
        raise ValueError(f"{name} is not a JSON number")

    @staticmethod
    def _finite(text: str) -> float:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{text} is out of range")
        return number

    def _check(self, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise exceptions.ParseError(_("The JSON is nested too deeply."))
        if isinstance(value, str):
            if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
                raise exceptions.ParseError(_("Text may not hold NUL or half characters (lone surrogates)."))
        elif isinstance(value, dict):
            for key, item in value.items():
                self._check(key, depth)
                self._check(item, depth + 1)
        elif isinstance(value, list):
            for item in value:
                self._check(item, depth + 1)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise exceptions.ParseError(_("A number is out of range (64 bits)."))
