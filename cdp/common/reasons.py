"""Why something is as it is: stored as a code with parameters, put in words for the reader when it is shown.

    REJECTIONS = ReasonTable("rejection", {"too_deep": ReasonText("Nested too deeply", "more than %(levels)s levels")})
    REJECTIONS.text("too_deep", {"levels": 12})
    reason_text("rejection.too_deep", {"levels": 12})  # where rows of several areas stand together

A sentence never goes into the database: it would stay in the language of whoever was at work, and a better wording
would never reach it. Parameters are JSON values; what comes from outside (a server's reply) is one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext

from cdp.common.registry import Registry

Params = Mapping[str, Any]
_FIELD = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Reason:
    """A code of one table and the values of its sentence, as they are stored."""

    code: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReasonText:
    """The words of a code, marked with gettext_noop where they are written.

    `label` names the reason beside a count and has no fields; `text` tells one case and may have `%(fields)s` from the
    parameters; `hint` says what to do about it.
    """

    label: str
    text: str = ""
    hint: str = ""


class ReasonTable:
    """The reasons of one area by code. Making a table registers it."""

    def __init__(self, area: str, texts: Mapping[str, ReasonText]) -> None:
        self.area = area
        self.texts = dict(texts)
        reason_tables.add(area, self)

    def __contains__(self, code: str) -> bool:
        return code in self.texts

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def label(self, code: str) -> str:
        """Return the short name; an unknown code with its underscores taken out."""
        known = self.texts.get(code)
        return gettext(known.label) if known else code.replace("_", " ").replace(".", ": ")

    def choices(self) -> list[tuple[str, str]]:
        """Return (code, label) pairs for a filter."""
        return [(code, self.label(code)) for code in self.texts]

    def text(self, code: str, params: Params | None = None) -> str:
        """Return the sentence; the label where there is none, or where the parameters do not fill it."""
        return self.sentence(code, params) or self.label(code)

    def sentence(self, code: str, params: Params | None = None) -> str:
        """Return what there is to say beyond the label, or ""."""
        known = self.texts.get(code)
        return fill(gettext(known.text), params or {}) if known and known.text else ""

    def hint(self, code: str, params: Params | None = None) -> str:
        """Return what to do about it, or ""."""
        known = self.texts.get(code)
        return fill(gettext(known.hint), params or {}) if known and known.hint else ""


reason_tables: Registry[ReasonTable] = Registry("table of reasons")


def fill(text: str, params: Params) -> str:
    """Return `text` with its fields filled in; "" when one is missing. `%%` is a percent sign only beside fields."""
    fields = set(_FIELD.findall(text))
    if not fields:
        return text
    if not fields <= params.keys():
        return ""
    return text % {name: _written(params[name]) for name in fields}


def _written(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return number_format(value, force_grouping=True)
    return ", ".join(map(_written, value)) if isinstance(value, list) else str(value)


def _table_of(code: str) -> tuple[ReasonTable | None, str]:
    area, _dot, rest = code.partition(".")
    return dict(reason_tables.items()).get(area), rest


def reason_label(code: str) -> str:
    """Return the short name of a code that begins with its area (`rejection.too_deep`)."""
    table, rest = _table_of(code)
    return table.label(rest) if table else code.replace("_", " ").replace(".", ": ")


def reason_text(code: str, params: Params | None = None) -> str:
    """Return the sentence of a code that begins with its area."""
    table, rest = _table_of(code)
    return table.text(rest, params) if table else reason_label(code)


def reason_hint(code: str, params: Params | None = None) -> str:
    """Return what to do about a code that begins with its area, or ""."""
    table, rest = _table_of(code)
    return table.hint(rest, params) if table else ""
