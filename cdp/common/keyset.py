"""Pages by key instead of by offset, for pages, API and staff site: as fast on page one thousand as on page one.

A walk gives every row that was there at its start exactly once, whatever ties there are and whoever inserts, changes
other columns or deletes meanwhile: the order always ends in a unique key, and a cursor is a place between two rows,
not a number of rows. (A row whose own sort value is changed during the walk moves, as it must: lists for programs are
therefore sorted by what never changes.)

A cursor is opaque and signed, for one table and one order. It holds ids, times and other keys; the value of a column
that is personal is not in it, and is read again by the id.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.signing import BadSignature, Signer, b64_decode, b64_encode
from django.db.models import BooleanField, Expression, F, Func, Model, Q, QuerySet, Value
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError

MAX_CURSOR = 2000


class CursorInvalid(CdpError):
    """Refuse a cursor that is not one of ours, or not of this list in this order."""

    def __init__(self) -> None:
        super().__init__(
            "cursor_invalid",
            _("This place in the list is not there any more, or never was. Begin at the start of the list."),
            place="cursor",
        )


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order. `nullable` follows PostgreSQL: nulls are last upwards and first downwards."""

    name: str
    descending: bool = False
    nullable: bool = False
    personal: bool = False  # its values may not stand in a cursor

    @property
    def column(self) -> str:
        """Return the name as order_by takes it."""
        return f"-{self.name}" if self.descending else self.name

    def reversed(self) -> SortKey:
        """Return the same column the other way round."""
        return SortKey(self.name, not self.descending, self.nullable, self.personal)


@dataclass(frozen=True, slots=True)
class Order:
    """Columns that together name each row of a table once."""

    keys: tuple[SortKey, ...]

    @classmethod
    def of(cls, model: type[Model], *columns: str, key: Sequence[str] = (), personal: Sequence[str] = ()) -> Order:
        """Return the order by `columns` (a minus for descending), made unique by `key`, or else by the primary key.

        The key runs in the direction of the last column, so that one index serves the order and its reverse.
        """
        keys = [_sort_key(model, column, personal) for column in columns]
        downwards = keys[-1].descending if keys else True
        named = {key.name for key in keys}
        keys += [SortKey(name, downwards) for name in key or _primary_key(model) if name not in named]
        return cls(tuple(keys))

    def reversed(self) -> Order:
        """Return the order from the end."""
        return Order(tuple(key.reversed() for key in self.keys))

    @property
    def columns(self) -> list[str]:
        """Return the names as order_by takes them."""
        return [key.column for key in self.keys]

    @property
    def uniform(self) -> bool:
        """Tell whether a comparison of rows can express it: one direction and no nulls."""
        return len({key.descending for key in self.keys}) == 1 and not any(key.nullable for key in self.keys)


def _primary_key(model: type[Model]) -> list[str]:
    pk: Any = model._meta.pk
    return [field.attname for field in getattr(pk, "fields", (pk,))]


def _sort_key(model: type[Model], column: str, personal: Sequence[str]) -> SortKey:
    name = column.removeprefix("-")
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:  # an annotation, which the list must keep from being null
        return SortKey(name, column.startswith("-"), personal=name in personal)
    return SortKey(field.attname, column.startswith("-"), bool(field.null), name in personal)


@dataclass(frozen=True)
class Page:
    """The rows of a page and the cursors of its neighbours, empty when there are none."""

    rows: Sequence[Any]
    next: str
    previous: str


def keyset_page(rows: QuerySet[Any], *, order: Order, cursor: str, size: int) -> Page:
    """Return the page of `rows` that a cursor asks for, the first when it is empty; raise CursorInvalid."""
    place = _read(rows.model, order, cursor, rows) if cursor else None
    backwards = place is not None and place.backwards
    running = order.reversed() if backwards else order
    ordered = rows.order_by(*running.columns)
    if place is not None:
        ordered = ordered.filter(_beyond(rows.model, running, place.values))
    found = list(ordered[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    if not found:
        return Page([], "", "")
    write = _writer(rows.model, order)
    return Page(
        found,
        next=write(found[-1], False) if more or backwards else "",
        previous=write(found[0], True) if (more if backwards else place is not None) else "",
    )


def cursor_behind(row: Model, order: Order) -> str:
    """Return the cursor of the place right behind a row: to go on from later, when there may be more."""
    return _writer(type(row), order)(row, False)


# The condition -----------------------------------------------------------------------------------------------------
class _RowBeyond(Func):
    """`(a, b) < (x, y)`: PostgreSQL seeks it in an index, however many rows share the first value."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, comparison: str, *expressions: Any) -> None:
        super().__init__(*expressions)
        self.comparison = comparison

    def as_sql(self, compiler: Any, connection: Any, **_extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        """Return the comparison of the first half of the expressions with the second."""
        parts, params = [], []
        for expression in self.get_source_expressions():
            sql, more = compiler.compile(expression)
            parts.append(sql)
            params += more
        half = len(parts) // 2
        return f"({', '.join(parts[:half])}) {self.comparison} ({', '.join(parts[half:])})", params


def _beyond(model: type[Model], order: Order, values: Sequence[Any]) -> Q | Expression:
    """Return what holds for the rows after the place with these values."""
    if order.uniform:
        comparison = "<" if order.keys[0].descending else ">"
        given = [Value(value, _field_of(model, key.name)) for key, value in zip(order.keys, values, strict=True)]
        return _RowBeyond(comparison, *[F(key.name) for key in order.keys], *given)
    condition = Q(pk__in=[])
    for key, value in reversed(list(zip(order.keys, values, strict=True))):
        condition = _further(key, value) | (_same(key, value) & condition)
    return condition


def _further(key: SortKey, value: Any) -> Q:
    if value is None:  # nulls are the last upwards, the first downwards
        return Q(**{f"{key.name}__isnull": False}) if key.descending else Q(pk__in=[])
    if key.descending:
        return Q(**{f"{key.name}__lt": value})
    after = Q(**{f"{key.name}__gt": value})
    return after | Q(**{f"{key.name}__isnull": True}) if key.nullable else after


def _same(key: SortKey, value: Any) -> Q:
    return Q(**{f"{key.name}__isnull": True}) if value is None else Q(**{key.name: value})


def _field_of(model: type[Model], name: str) -> Any:
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field.target_field if field.is_relation else field


# The cursor --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Place:
    values: tuple[Any, ...]
    backwards: bool


def _signer(model: type[Model], order: Order) -> Signer:
    return Signer(salt=f"keyset {model._meta.label} {' '.join(order.columns)}", sep=".")


def _writer(model: type[Model], order: Order) -> Callable[[Any, bool], str]:
    signer = _signer(model, order)

    def write(row: Any, backwards: bool) -> str:
        values = [None if key.personal else _plain(getattr(row, key.name)) for key in order.keys]
        raw = json.dumps([*values, backwards], separators=(",", ":"))
        return signer.sign(b64_encode(raw.encode()).decode())

    return write


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _read(model: type[Model], order: Order, text: str, rows: QuerySet[Any]) -> _Place:
    if len(text) > MAX_CURSOR:
        raise CursorInvalid
    try:
        *given, backwards = json.loads(b64_decode(_signer(model, order).unsign(text).encode()))
        values = [_to_python(model, key, value) for key, value in zip(order.keys, given, strict=True)]
    except (BadSignature, ValueError, TypeError, ValidationError, OverflowError):
        raise CursorInvalid from None
    if any(key.personal for key in order.keys):
        values = _with_personal(order, values, rows)
    return _Place(tuple(values), bool(backwards))


def _to_python(model: type[Model], key: SortKey, value: Any) -> Any:
    field = _field_of(model, key.name)
    return value if field is None or value is None else field.to_python(value)


def _with_personal(order: Order, values: Sequence[Any], rows: QuerySet[Any]) -> list[Any]:
    """Return the values with those that a cursor may not hold, read from the row that it names."""
    known = {key.name: value for key, value in zip(order.keys, values, strict=True) if not key.personal}
    wanted = [key.name for key in order.keys if key.personal]
    found = rows.order_by().filter(**known).values_list(*wanted).first()
    if found is None:
        raise CursorInvalid
    known |= dict(zip(wanted, found, strict=True))
    return [known[key.name] for key in order.keys]
