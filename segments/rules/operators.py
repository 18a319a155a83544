"""The one table of comparisons: forms, API documentation, SQL, sentence and oracle all read it.

SQL templates stand for a jsonb value `{x}` (as text: `{t}`) that may be NULL, and always give true or false, never
NULL: so `NOT` means the same in SQL and in Python. A value is compared in the type it is stored in, behind its
`jsonb_typeof`, so that no value anybody sends can raise a cast error. What stands in braces becomes a parameter.

All of them compare texts folded (segments.rules.folding) and dates by their business day (segments.rules.days).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from profiles.catalogue.types import ALL_TYPES, DATE, LIST, NUMBER, TEXT, YES_NO, is_day, type_of
from segments.rules.days import day_of, day_sql, is_day_sql
from segments.rules.folding import equals_folded_sql, fold, fold_sql
from segments.rules.nodes import Moment, Value
from segments.rules.texts import gettext_noop as _


def decimal_of(value: Any) -> Decimal:
    """Return a JSON number exactly as written."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def same(stored: Any, wanted: Any, moment: Moment) -> bool:
    """Tell whether two JSON values are equal: 5 equals 5.0, and "5" or true equal neither.

    Texts are folded; a day equals every moment of that day.
    """
    kind = type_of(wanted)
    if kind == NUMBER:
        return type_of(stored) == NUMBER and decimal_of(stored) == decimal_of(wanted)
    if isinstance(wanted, str) and isinstance(stored, str):
        return fold(stored) == fold(wanted) or (_is_bare_day(wanted) and day_of(stored, moment.zone) == wanted)
    return type(stored) is type(wanted) and bool(stored == wanted)


def _is_bare_day(value: Any) -> bool:
    return isinstance(value, str) and len(value) == DAY_LENGTH and is_day(value)


#: characters of a day
DAY_LENGTH = 10

Encode = Callable[[Any, Moment], dict[str, Any]]
Test = Callable[[Any, Any, Moment], bool]


def _scalar(value: Any, moment: Moment) -> dict[str, Any]:
    return _scalars([value], moment)


def _scalars(value: Any, moment: Moment) -> dict[str, Any]:
    found = {
        "v": [json.dumps(item) for item in value if not isinstance(item, str)],
        "texts": [fold(item) for item in value if isinstance(item, str)],
        "days": [item for item in value if _is_bare_day(item)],
    }
    return {name: items for name, items in found.items() if items} | (
        {"zone": str(moment.zone)} if found["days"] else {}
    )


def _folded(value: Any, _moment: Moment) -> dict[str, Any]:
    return {"v": fold(value)}


def _number(value: Any, _moment: Moment) -> dict[str, Any]:
    return {"v": decimal_of(value)}


def _numbers(value: Any, _moment: Moment) -> dict[str, Any]:
    return {"a": decimal_of(value[0]), "b": decimal_of(value[1])}


def _day(value: Any, moment: Moment) -> dict[str, Any]:
    return {"v": value, "zone": str(moment.zone)}


def _last_days(value: Any, moment: Moment) -> dict[str, Any]:
    return {"a": _days_back(moment.today, value), "b": moment.today.isoformat(), "zone": str(moment.zone)}


def _since_days(value: Any, moment: Moment) -> dict[str, Any]:
    return {"v": _days_back(moment.today, value), "zone": str(moment.zone)}


def _nothing(_value: Any, _moment: Moment) -> dict[str, Any]:
    return {}


def _days_back(today: date, days: int) -> str:
    return (today - timedelta(days=days)).isoformat()


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A comparison. `takes` names the input: nothing, scalar, scalars, text, number, two_numbers, date or days."""

    key: str
    label: str
    sentence: str  # follows "whose <trait>"; %(value)s is what was given
    types: frozenset[str]
    takes: str
    sql: Callable[[Any], str]  # of the given value
    encode: Encode
    test: Test  # (stored value, given value, moment); never called for a missing value
    missing: bool = False  # what a missing value gives


_TEXT = "{t}"
_FOLDED = fold_sql(_TEXT)
Template = Callable[[Any], str]


def _always(sql: str) -> Template:
    return lambda _value: sql


def _text_sql(inner: str) -> Template:
    return _always(f"COALESCE(CASE jsonb_typeof({{x}}) WHEN 'string' THEN {inner} END, false)")


def _number_sql(inner: str) -> Template:
    return _always(f"COALESCE(CASE jsonb_typeof({{x}}) WHEN 'number' THEN {inner} END, false)")


def _day_sql(inner: str) -> Template:
    compared = inner.replace("[day]", day_sql(_TEXT))
    isday = is_day_sql(_TEXT)
    return _always(f"COALESCE(CASE WHEN jsonb_typeof({{x}}) = 'string' AND {isday} THEN {compared} END, false)")


def _equal_sql(values: Iterable[Any]) -> str:
    """Return the condition that `{x}` is one of these values, each compared in its own type."""
    found = list(values)
    conditions = []
    if any(isinstance(value, str) for value in found):
        texts = equals_folded_sql(_TEXT, "{texts}")
        if any(_is_bare_day(value) for value in found):
            texts += f" OR ({is_day_sql(_TEXT)} AND {day_sql(_TEXT)} = ANY ({{days}}::text[]))"
        # The type comes last: few values get that far.
        conditions.append(f"(({texts}) AND jsonb_typeof({{x}}) = 'string')")
    if any(not isinstance(value, str) for value in found):
        conditions.append("{x} = ANY ({v}::text[]::jsonb[])")
    return f"COALESCE({' OR '.join(conditions)}, false)"


def _has_sql(value: Any) -> str:
    element = _equal_sql([value]).replace("{x}", "element.value").replace("{t}", "(element.value #>> '{{}}')")
    lines = f"EXISTS (SELECT FROM jsonb_array_elements({{x}}) AS element WHERE {element})"
    return f"COALESCE(CASE jsonb_typeof({{x}}) WHEN 'array' THEN {lines} END, false)"


_SCALARS = frozenset({TEXT, NUMBER, YES_NO, DATE})
_WORDS = frozenset({TEXT, DATE})
_DATES = frozenset({DATE})
_NUMBERS = frozenset({NUMBER})


def _is_number(value: Any) -> bool:
    return type_of(value) == NUMBER


def _compare(label: str, sentence: str, key: str, sign: str, test: Callable[[Decimal, Decimal], bool]) -> Operator:
    return Operator(
        key=key,
        label=label,
        sentence=sentence,
        types=_NUMBERS,
        takes="number",
        sql=_number_sql("({x})::numeric " + sign + " {v}::numeric"),
        encode=_number,
        test=lambda stored, wanted, _moment: _is_number(stored) and test(decimal_of(stored), decimal_of(wanted)),
    )


_TABLE = (
    Operator(
        key="is",
        label=_("is"),
        sentence=_("is %(value)s"),
        types=_SCALARS,
        takes="scalar",
        sql=lambda value: _equal_sql([value]),
        encode=_scalar,
        test=same,
    ),
    Operator(
        key="is_not",
        label=_("is not"),
        sentence=_("is not %(value)s"),
        types=_SCALARS,
        takes="scalar",
        sql=lambda value: f"(NOT {_equal_sql([value])})",
        encode=_scalar,
        test=lambda stored, wanted, moment: not same(stored, wanted, moment),
        missing=True,
    ),
    Operator(
        key="one_of",
        label=_("is one of"),
        sentence=_("is one of %(value)s"),
        types=_SCALARS,
        takes="scalars",
        sql=_equal_sql,
        encode=_scalars,
        test=lambda stored, wanted, moment: any(same(stored, item, moment) for item in wanted),
    ),
    Operator(
        key="contains",
        label=_("contains"),
        sentence=_("contains %(value)s"),
        types=_WORDS,
        takes="text",
        sql=_text_sql(f"strpos({_FOLDED}, {{v}}) > 0"),
        encode=_folded,
        test=lambda stored, wanted, _moment: isinstance(stored, str) and fold(wanted) in fold(stored),
    ),
    Operator(
        key="starts_with",
        label=_("starts with"),
        sentence=_("starts with %(value)s"),
        types=_WORDS,
        takes="text",
        sql=_text_sql(f"starts_with({_FOLDED}, {{v}})"),
        encode=_folded,
        test=lambda stored, wanted, _moment: isinstance(stored, str) and fold(stored).startswith(fold(wanted)),
    ),
    Operator(
        key="ends_with",
        label=_("ends with"),
        sentence=_("ends with %(value)s"),
        types=_WORDS,
        takes="text",
        sql=_text_sql(f"right({_FOLDED}, length({{v}})) = {{v}}"),
        encode=_folded,
        test=lambda stored, wanted, _moment: isinstance(stored, str) and fold(stored).endswith(fold(wanted)),
    ),
    _compare(_("is more than"), _("is more than %(value)s"), "gt", ">", lambda a, b: a > b),
    _compare(_("is at least"), _("is at least %(value)s"), "gte", ">=", lambda a, b: a >= b),
    _compare(_("is less than"), _("is less than %(value)s"), "lt", "<", lambda a, b: a < b),
    _compare(_("is at most"), _("is at most %(value)s"), "lte", "<=", lambda a, b: a <= b),
    Operator(
        key="between",
        label=_("is between"),
        sentence=_("is between %(first)s and %(second)s"),
        types=_NUMBERS,
        takes="two_numbers",
        sql=_number_sql("({x})::numeric BETWEEN {a}::numeric AND {b}::numeric"),
        encode=_numbers,
        test=lambda stored, wanted, _moment: (
            _is_number(stored) and decimal_of(wanted[0]) <= decimal_of(stored) <= decimal_of(wanted[1])
        ),
    ),
    Operator(
        key="before",
        label=_("is before"),
        sentence=_("is before %(value)s"),
        types=_DATES,
        takes="date",
        sql=_day_sql("[day] < {v}"),
        encode=_day,
        test=lambda stored, wanted, moment: (day := day_of(stored, moment.zone)) is not None and day < wanted,
    ),
    Operator(
        key="after",
        label=_("is after"),
        sentence=_("is after %(value)s"),
        types=_DATES,
        takes="date",
        sql=_day_sql("[day] > {v}"),
        encode=_day,
        test=lambda stored, wanted, moment: (day := day_of(stored, moment.zone)) is not None and day > wanted,
    ),
    Operator(
        key="in_last",
        label=_("is in the last (days)"),
        sentence=_("is in the last %(value)s days"),
        types=_DATES,
        takes="days",
        sql=_day_sql("[day] BETWEEN {a} AND {b}"),
        encode=_last_days,
        test=lambda stored, wanted, moment: (
            (day := day_of(stored, moment.zone)) is not None
            and _days_back(moment.today, wanted) <= day <= moment.today.isoformat()
        ),
    ),
    Operator(
        key="before_last",
        label=_("is more than (days) ago"),
        sentence=_("is more than %(value)s days ago"),
        types=_DATES,
        takes="days",
        sql=_day_sql("[day] < {v}"),
        encode=_since_days,
        test=lambda stored, wanted, moment: (
            (day := day_of(stored, moment.zone)) is not None and day < _days_back(moment.today, wanted)
        ),
    ),
    Operator(
        key="has",
        label=_("is a list with"),
        sentence=_("is a list with %(value)s"),
        types=frozenset({LIST}),
        takes="scalar",
        sql=_has_sql,
        encode=_scalar,
        test=lambda stored, wanted, moment: (
            isinstance(stored, (list, tuple)) and any(same(item, wanted, moment) for item in stored)
        ),
    ),
    Operator(
        key="exists",
        label=_("is known"),
        sentence=_("is filled in"),
        types=ALL_TYPES,
        takes="nothing",
        sql=_always("(COALESCE(jsonb_typeof({x}), 'null') <> 'null')"),
        encode=_nothing,
        test=lambda _stored, _wanted, _moment: True,
    ),
    Operator(
        key="missing",
        label=_("is not known"),
        sentence=_("is not filled in"),
        types=ALL_TYPES,
        takes="nothing",
        sql=_always("(COALESCE(jsonb_typeof({x}), 'null') = 'null')"),
        encode=_nothing,
        test=lambda _stored, _wanted, _moment: False,
        missing=True,
    ),
)

OPERATORS: Mapping[str, Operator] = {operator.key: operator for operator in _TABLE}

#: how often somebody did something: key -> (label, sentence)
COUNTS: Mapping[str, tuple[str, str]] = {
    "at_least": (_("at least"), _("at least %(times)s times")),
    "at_most": (_("at most"), _("at most %(times)s times")),
    "exactly": (_("exactly"), _("exactly %(times)s times")),
    "never": (_("not at all"), _("never")),
}
#: when: key -> label
WINDOWS: Mapping[str, str] = {"ever": _("ever"), "last": _("in the last"), "between": _("between two days")}
SEEN: Mapping[tuple[str, str], str] = {
    ("last", "within"): _("who were last seen in the last %(days)s days"),
    ("last", "before"): _("who were last seen more than %(days)s days ago, or never"),
    ("first", "within"): _("who were first seen in the last %(days)s days"),
    ("first", "before"): _("who were first seen more than %(days)s days ago"),
}
CONSENT_STATES: Mapping[str, str] = {
    "given": _("given"),
    "soft_opt_in": _("soft opt-in, by having bought"),
    "refused": _("refused"),
    "withdrawn": _("withdrawn"),
    "objected": _("objected to"),
    "expired": _("expired"),
    "none": _("never asked or answered"),
}


def holds(operator: Operator, stored: Any, value: Value, moment: Moment) -> bool:
    """Compare one stored value in memory."""
    return operator.missing if stored is None else operator.test(stored, value, moment)
