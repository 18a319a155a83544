"""Bodies of one JSON value a line (application/x-ndjson): a line that is wrong costs no other."""

from __future__ import annotations

import io
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import BaseParser

from cdp.common.api import StrictJSONParser
from cdp.common.errors import CdpError

NDJSON = "application/x-ndjson"


class NdjsonParser(BaseParser):
    """Parse lines into {"items": [...]}, as the JSON form of the same body has them.

    In the place of a line that cannot be read stands a CdpError that says why.
    """

    media_type = NDJSON

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, list[Any]]:
        """Return the items."""
        return {"items": [_item(line) for line in stream.read().splitlines() if line.strip()]}


def _item(line: bytes) -> Any:
    try:
        return StrictJSONParser().parse(io.BytesIO(line))
    except exceptions.ParseError as error:
        return CdpError("invalid_json", str(error.detail))


def items_of(data: Any, *, limit: int) -> list[Any]:
    """Return the items of a body in either form; raise CdpError when it has another shape or too many."""
    if isinstance(data, dict) and (unknown := sorted(set(data) - {"items"})):
        raise CdpError(
            "unknown_field",
            _("There is no field “%(name)s”.") % {"name": unknown[0][:60]},
            place=unknown[0][:60],
            fields={name[:60]: [_("This field is not known.")] for name in unknown[:20]},
        )
    if not isinstance(data, dict) or not isinstance(items := data.get("items"), list):
        raise CdpError("invalid_shape", _("The body is an object with a list named “items”."), place="items")
    if len(items) > limit:
        raise CdpError(
            "too_many_items",
            _("One request takes at most %(limit)s items; this has %(count)s.") % {"limit": limit, "count": len(items)},
            place="items",
        )
    return items
