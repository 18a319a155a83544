"""What can be exported in bulk: every app says how its rows are read; `profiles.exporting` does the rest.

Each kind is a list in a fixed order, read in blocks of one snapshot of the database. A row is described once, as JSON;
a line of CSV is made of that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.utils import translate_validation

from cdp.common.errors import CdpError
from cdp.common.filters import ListFilters
from cdp.common.formulas import escape_formula
from cdp.common.keyset import Order
from cdp.common.registry import Registry

Described = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the CSV form: its heading, and what stands in it of a row as JSON."""

    heading: str
    value: Callable[[Described], Any]


@dataclass(frozen=True, kw_only=True)
class ExportKind:
    """A kind of export.

    `rows(filters, reader)` returns the rows that filters keep, as this user may ask; it raises CdpError or
    ValidationError for filters that it cannot take. `describe(rows, parts, open_names)` returns a block of rows as
    JSON; without `open_names` names and addresses are masked. `columns(parts, open_names)` returns the columns of the
    CSV form. `parts` are what `include` may name.
    """

    label: Any
    permission: str
    rows: Callable[[Mapping[str, str], Any], QuerySet[Any]]
    order: Callable[[], Order]
    describe: Callable[[Sequence[Any], Sequence[str], bool], list[Described]]
    columns: Callable[[Sequence[str], bool], list[Column]]
    parts: Callable[[], Sequence[str]] = tuple
    #: part -> the permission that it needs beside that of the kind
    part_permissions: Callable[[], Mapping[str, str]] = dict


export_kinds: Registry[ExportKind] = Registry("kind of export")


@dataclass
class _Asker:
    """What filters know of a request: who asks."""

    user: Any


def filtered(
    rows: QuerySet[Any], filters: Mapping[str, str], filterset: type[ListFilters], reader: Any
) -> QuerySet[Any]:
    """Return the rows that a list's filters keep; raise for a filter that there is not, or that makes no sense."""
    known = set(filterset.base_filters) - {"search"}
    if unknown := sorted(set(filters) - known):
        raise unknown_filter(unknown[0])
    chosen = filterset(dict(filters), request=_Asker(reader))
    if not chosen.is_valid():
        raise translate_validation(chosen.errors)
    return chosen.narrow(rows)


def unknown_filter(name: str) -> CdpError:
    """Return the error for a filter that a kind does not have."""
    return CdpError("unknown_parameter", _("There is no filter “%(name)s”.") % {"name": name[:60]}, place="filters")


def plain_columns(*names: str) -> list[Column]:
    """Return columns that bear the names of the fields that they hold."""
    return [Column(heading=name, value=partial(_field, name)) for name in names]


def _field(name: str, row: Described) -> Any:
    return row.get(name)


def csv_cell(value: Any) -> str:
    """Write a value for a CSV cell: figures and times as they are, lists and objects as JSON, no live formulas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if hasattr(value, "isoformat"):
        return json_time(value)
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, default=json_time) if value else ""
    return escape_formula(str(value))


def json_time(value: Any) -> str:
    """Return a time as the API writes it; anything else as its text."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
