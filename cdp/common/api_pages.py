"""Lists of the REST API come in pages by key (cdp.common.keyset): {"next": address, "previous": address, "results"}."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from cdp.common.errors import CdpError
from cdp.common.keyset import Order, Page, keyset_page

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


class KeysetPages(BasePagination):
    """Pages by key, the newest id first; `keyset_pages` makes those of another order."""

    ordering: tuple[str, ...] = ("-id",)
    key: tuple[str, ...] = ()
    page: Page
    address: str

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page that `?cursor=` and `?limit=` ask for; raise CdpError when they cannot be."""
        order = Order.of(queryset.model, *self.ordering, key=self.key)
        self.address = request.build_absolute_uri()
        self.page = keyset_page(
            queryset, order=order, cursor=request.query_params.get("cursor", ""), size=page_size(request)
        )
        return list(self.page.rows)

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the addresses of its neighbours."""
        return Response(
            {"next": self._address(self.page.next), "previous": self._address(self.page.previous), "results": data}
        )

    def _address(self, cursor: str) -> str | None:
        return replace_query_param(remove_query_param(self.address, "cursor"), "cursor", cursor) if cursor else None

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the shape of a page."""
        address = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": address, "previous": address, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return what a list takes for paging."""
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "A place in the list, from `next` or `previous` of another page.",
                "schema": {"type": "string"},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows on a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE},
            },
        ]


def keyset_pages(*ordering: str, key: tuple[str, ...] = ()) -> type[KeysetPages]:
    """Return the pages of a list with this order (a minus for descending), of columns that never change.

    `key` are the columns that name a row once, where that is not the primary key.
    """
    return type("OrderedPages", (KeysetPages,), {"ordering": ordering, "key": key})


def page_size(request: Request) -> int:
    """Return `?limit=`; raise CdpError when it is no number from 1 to MAX_PAGE_SIZE."""
    text = request.query_params.get("limit", "")
    if not text:
        return PAGE_SIZE
    if not (text.isascii() and text.isdigit() and len(text) < 10) or not 1 <= int(text) <= MAX_PAGE_SIZE:
        message = _("`limit` is a whole number from 1 to %(most)s.") % {"most": MAX_PAGE_SIZE}
        raise CdpError("limit_invalid", message, place="limit")
    return int(text)
