"""The base of every viewset of the REST API: what a route does not know is refused by name, never passed over.

    class ThingViewSet(ApiViewSet[Thing]):
        other_parameters = frozenset({"include"})  # of the query, beside filters and paging
        bodyless = frozenset({"pause"})            # actions by POST that take no fields

Filters and paging are checked by `narrowed` (cdp.common.filters), fields by serializers (cdp.common.api_fields).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from django.utils.translation import gettext as _
from rest_framework import serializers, viewsets
from rest_framework.request import Request

from cdp.common.api_fields import UNKNOWN_FIELD
from cdp.common.api_idempotency import key_of, once
from cdp.common.api_limits import Grant, headers_of, limit_request
from cdp.common.errors import CdpError
from cdp.common.filters import refuse_unknown_parameters

Row = TypeVar("Row", bound=Model)


class ApiViewSet(viewsets.GenericViewSet[Row]):
    """A resource of the REST API."""

    #: parameters of the query that are neither filters nor paging
    other_parameters: ClassVar[Collection[str]] = frozenset()
    #: actions that change something and take no body; DELETE takes none anywhere
    bodyless: ClassVar[Collection[str]] = frozenset()

    #: actions whose answer holds a secret, which is told once and not kept
    secret_answers: ClassVar[Collection[str]] = frozenset()

    #: actions that cost as much as many others, with a limit of their own
    bulk_actions: ClassVar[Collection[str]] = frozenset()
    grant: Grant | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Ask who it is and what they may, then refuse what this action does not know."""
        super().initial(request, *args, **kwargs)
        self.grant = limit_request(request, bulk=self.action in self.bulk_actions)
        if self.action and not self._is_list():
            refuse_unknown_parameters(request, self.other_parameters)
        key = key_of(request)
        if key and not (request.content_type or "").startswith("multipart/"):
            request._request.body  # noqa: B018 - read as a whole before it is parsed: its digest is asked later
        if self.action in self.bodyless or request.method == "DELETE":
            _refuse_body(request)
        if key and self.action:
            # Django REST framework looks the handler up after this.
            name = (request.method or "").lower()
            kept = self.action not in self.secret_answers
            setattr(self, name, once(getattr(self, name), request, key, keep_body=kept))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say in the answer how much of its limit the token has left."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self.grant is not None:
            for name, value in headers_of(self.grant).items():
                answer[name] = value
        return answer

    def given(self, serializer: type[serializers.BaseSerializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """Return the checked body; raise ValidationError naming the fields that are wrong."""
        form = serializer(data=self.request.data, partial=partial, context=self.get_serializer_context())
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)

    def _is_list(self) -> bool:
        """Tell whether the action is a list, which checks its filters itself: an action that is one names them."""
        handler = getattr(self, self.action or "", None)
        return self.action == "list" or "filterset_class" in getattr(handler, "kwargs", {})


def _refuse_body(request: Request) -> None:
    data: Any = request.data
    if not data:
        return
    names = sorted(str(name)[:100] for name in data)[:20] if isinstance(data, dict) else []
    raise CdpError(
        UNKNOWN_FIELD,
        _("This takes no fields."),
        fields={name: [_("This field is not known.")] for name in names},
    )
