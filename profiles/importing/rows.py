"""Check a row of cells against the mapping, and give what remains to be done in a compact form.

The checked data of a row is a dict without empty parts:
`i`: [[kind, value], ...] the identifiers, the matching one first;
`t`, `f`, `n`: traits to overwrite, to fill when empty, to write for new people only;
`x`: {registered target: value}.

A row that is refused keeps `i` and `x` as far as they could be read, of `x` only what takes something away: an opt-out
holds, whatever else is wrong with its row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp.common.formulas import restore_formula
from profiles.identity.traits import ADDRESS_TRAITS
from profiles.importing.checking import Check, check_for
from profiles.importing.mapping import FileMapping
from profiles.importing.targets import ImportTarget

_RULE_PART = {"overwrite": "t", "fill": "f", "create": "n"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row goes no further."""

    outcome: str  # rejected | skipped
    code: str
    column: str = ""  # header of the cell that is at fault
    data: dict[str, Any] | None = None  # what holds nevertheless


class RowChecker:
    """The mapping turned into a list of steps, made once for a file and run for each row."""

    def __init__(
        self,
        mapping: FileMapping,
        *,
        identifier_check: Callable[[str], Check],
        targets: Mapping[str, ImportTarget],
    ) -> None:
        self._lowers = {name: target.lowers for name, target in targets.items()}
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
                step = ("x", column.registered, targets[column.registered].check)
            self._steps.append((column.index, column.header, *step))
        #: kinds of identifier in the order of `i`: the matching one first
        self.kinds = [mapping.match, *(kind for kind in kinds if kind != mapping.match)]
        self._match_header = next(column.header for column in mapping.columns if column.kind == mapping.match)

    def check(self, cells: Sequence[str]) -> dict[str, Any] | Refusal:
        """Return the row's data, or why it is refused; the first column that does not fit is named."""
        data: dict[str, Any] = {}
        found: dict[str, str] = {}
        fault: tuple[str, str, str] | None = None
        for index, header, part, key, check in self._steps:
            text = cells[index].strip()
            if not text:
                continue
            if "'" in text:
                text = restore_formula(text)
            value, code = check(text)
            if code:
                fault = fault or ("rejected", code, header)
            elif part == "i":
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
            fault = fault or ("rejected", "no_key", self._match_header)
        data["i"] = [[kind, found[kind]] for kind in self.kinds if kind in found]
        return Refusal(*fault, self._what_holds(data)) if fault else data

    def _what_holds(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the opt-outs of a refused row with the identifiers that could be read; None without either."""
        lowered = {name: value for name, value in data.get("x", {}).items() if self._lowers[name](value)}
        return {"i": data["i"], "x": lowered} if lowered and data["i"] else None
