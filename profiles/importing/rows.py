"""Check a row of cells against the mapping, and give what remains to be done in a compact form.

The checked data of a row is a dict without empty parts:
`i`: [[kind, value], ...] the identifiers, the matching one first;
`t`, `f`, `n`: traits to overwrite, to fill when empty, to write for new people only;
`x`: {registered target: value};
`w`: [[header, code], ...] the cells that were left out because they do not fit. The row goes on without them: a
contact is not lost over a telephone number with a digit too few. What stood in them is not kept.

Only a row whose matching identifier is missing or unusable is refused. It keeps `i` and `x` as far as they could be
read, of `x` only what takes something away: an opt-out holds, whatever else is wrong with its row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp.common.formulas import restore_formula
from profiles.identity.traits import ADDRESS_TRAITS
from profiles.importing.checking import DATE_WAYS, NUMBER_WAYS, Check, check_for, forms
from profiles.importing.mapping import FileMapping
from profiles.importing.targets import ImportTarget

#: types whose cells may be readable in two ways, and these ways
WAYS = {"number": NUMBER_WAYS, "date": DATE_WAYS}
MAX_EXAMPLES = 3
_MARKS = re.compile(r"[.,/-]")
_RULE_PART = {"overwrite": "t", "fill": "f", "create": "n"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row goes no further."""

    outcome: str  # rejected | skipped
    code: str
    column: str = ""  # header of the cell that is at fault
    data: dict[str, Any] | None = None  # what holds nevertheless


class _Doubt:
    """Looks for a cell that can be read in one way only, and counts those that can be read in two until there is one.

    `6.625` is six thousand or six and a bit, `03/04/2026` is in March or in April.
    """

    def __init__(self, header: str, ways: tuple[Check, Check]) -> None:
        self.header = header
        self.count = 0
        self.examples: list[list[str]] = []
        self._ways = ways
        self._settled = False

    def look(self, text: str, value: Any) -> None:
        """Look at a cell and what was made of it."""
        if self._settled or not _MARKS.search(text) or text[4:5] == "-":
            return
        form = forms(text, *self._ways)
        if form in ("one", "other"):
            self._settled, self.count, self.examples = True, 0, []
        elif form == "either":
            self.count += 1
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append([text[:40], str(value)])


class RowChecker:
    """The mapping turned into a list of steps, made once for a file and run for each row."""

    def __init__(
        self,
        mapping: FileMapping,
        *,
        identifier_check: Callable[[str], Check],
        targets: Mapping[str, ImportTarget],
        separator: str = ",",
    ) -> None:
        self._separator = separator
        self._lowers = {name: target.lowers for name, target in targets.items()}
        self._steps: list[tuple[int, str, str, str, Check]] = []
        self._doubted: dict[int, _Doubt] = {}
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
            if column.trait and column.type in WAYS:
                self._doubted[column.index] = _Doubt(column.header, WAYS[column.type])
        #: kinds of identifier in the order of `i`: the matching one first
        self.kinds = [mapping.match, *(kind for kind in kinds if kind != mapping.match)]
        self._match_header = next(column.header for column in mapping.columns if column.kind == mapping.match)

    def check(self, cells: Sequence[str]) -> dict[str, Any] | Refusal:
        """Return the row's data, or why it is refused."""
        data: dict[str, Any] = {}
        found: dict[str, str] = {}
        left_out: list[list[str]] = []
        for index, header, part, key, check in self._steps:
            text = cells[index].strip()
            if not text:
                continue
            if "'" in text:
                text = restore_formula(text, self._separator)
            value, code = check(text)
            if code:
                left_out.append([header, code])
            elif part == "i":
                found[key] = value
                if key in ADDRESS_TRAITS:  # an address that is new to a person is the one to use from now on
                    data.setdefault("n" if key == self.kinds[0] else "t", {})[key] = value
            elif part in data:
                data[part][key] = value
            else:
                data[part] = {key: value}
            if index in self._doubted:
                self._doubted[index].look(text, value)
        data["i"] = [[kind, found[kind]] for kind in self.kinds if kind in found]
        if self.kinds[0] not in found:
            if not any(cell.strip() for cell in cells):
                return Refusal("skipped", "empty")
            code = next((code for header, code in left_out if header == self._match_header), "no_key")
            return Refusal("rejected", code, self._match_header, self._what_holds(data))
        if left_out:
            data["w"] = left_out
        return data

    def doubts(self) -> list[dict[str, Any]]:
        """Return the columns all of whose cells could be read in another way too: {column, count, examples}."""
        return [
            {"column": doubt.header, "count": doubt.count, "examples": doubt.examples}
            for doubt in self._doubted.values()
            if doubt.count
        ]

    def _what_holds(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the opt-outs of a refused row with the identifiers that could be read; None without either."""
        lowered = {name: value for name, value in data.get("x", {}).items() if self._lowers[name](value)}
        return {"i": data["i"], "x": lowered} if lowered and data["i"] else None
