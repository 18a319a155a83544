"""Check a row of cells against the mapping, and give what remains to be done in a compact form.

The checked data of a row is a dict without empty parts:
`i`: [[kind, value], ...] the identifiers, the matching one first;
`t`, `f`, `n`: traits to overwrite, to fill when empty, to write for new people only;
`x`: {registered target: value}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp.common.formulas import restore_formula
from profiles.identity.traits import ADDRESS_TRAITS
from profiles.importing.checking import Check, check_for
from profiles.importing.mapping import FileMapping

_RULE_PART = {"overwrite": "t", "fill": "f", "create": "n"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row goes no further."""

    outcome: str  # rejected | skipped
    code: str
    column: str = ""  # header of the cell that is at fault


class RowChecker:
    """The mapping turned into a list of steps, made once for a file and run for each row."""

    def __init__(
        self,
        mapping: FileMapping,
        *,
        identifier_check: Callable[[str], Check],
        target_checks: Mapping[str, Check],
    ) -> None:
        self._steps: list[tuple[int, str, str, str, Check]] = []
        kinds: list[str] = []
        for column in mapping.columns:
            if column.kind:
                step = ("i", column.kind, identifier_check(column.kind))
                kinds.append(column.kind)
            elif column.trait:
                check = check_for(column.type, day_first=column.day_first, decimal_comma=column.decimal_comma)
                step = (_RULE_PART[column.rule], column.trait, check)
            else:
                step = ("x", column.registered, target_checks[column.registered])
            self._steps.append((column.index, column.header, *step))
        #: kinds of identifier in the order of `i`: the matching one first
        self.kinds = [mapping.match, *(kind for kind in kinds if kind != mapping.match)]
        self._match_header = next(column.header for column in mapping.columns if column.kind == mapping.match)

    def check(self, cells: Sequence[str]) -> dict[str, Any] | Refusal:
        """Return the row's data, or why it is refused; the first column that does not fit is named."""
        data: dict[str, Any] = {}
        found: dict[str, str] = {}
        for index, header, part, key, check in self._steps:
            text = cells[index].strip()
            if not text:
                continue
            if text[0] == "'":
                text = restore_formula(text)
            value, code = check(text)
            if code:
                return Refusal("rejected", code, header)
            if part == "i":
                found[key] = value
                if key in ADDRESS_TRAITS:  # an address that is new to a person is the one to use from now on
                    data.setdefault("n" if key == self.kinds[0] else "t", {})[key] = value
            elif part in data:
                data[part][key] = value
            else:
                data[part] = {key: value}
        if self.kinds[0] not in found:
            if not any(cell.strip() for cell in cells):
                return Refusal("skipped", "empty")
            return Refusal("rejected", "no_key", self._match_header)
        data["i"] = [[kind, found[kind]] for kind in self.kinds if kind in found]
        return data
