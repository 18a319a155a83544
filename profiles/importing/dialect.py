"""Read rows out of a text file that may be broken, one bad row at a time.

Python's csv module accepts NUL, and one unbalanced quote makes it swallow what follows into one cell. Here a row
that cannot be read is given back as broken, with its line and its text, and reading goes on with the next line: so
every line of the file is accounted for.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO

from cdp.common.reasons import Params
from profiles.importing.decoding import UNDECODABLE

DELIMITERS = {";": "semicolon ;", ",": "comma ,", "\t": "tab", "|": "bar |"}
MAX_CELL = 64 * 1024  # characters
MAX_LINE = 1024 * 1024  # characters of one line of the file; a quoted cell may span lines
MAX_COLUMNS = 500
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\r?\n?$', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read. `line` is where it begins, the first line of the file being 1."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A line that could not be read. `code` is a key of profiles.importing.reasons."""

    line: int
    text: str
    code: str
    params: Params = field(default_factory=dict)


def sniff_delimiter(sample: str) -> str:
    """Return the delimiter that cuts the sample's lines into equally many cells, preferring more cells."""
    lines = [line for line in sample.splitlines()[:60] if line.strip()]
    if not lines:
        return ","
    stated = _SEPARATOR_LINE.match(lines[0])
    if stated and stated.group(1) in DELIMITERS:
        return stated.group(1)
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = [len(cells) for cells in _split_loosely(lines, delimiter)]
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        score = (round(times / len(widths), 1), width) if width > 1 else (0.0, 1)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _split_loosely(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [cells for cells in csv.reader(lines, delimiter=delimiter) if cells]
    except csv.Error:
        return [line.split(delimiter) for line in lines]


class _Lines:
    """Give the csv reader one physical line at a time, and remember which lines the present row took."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._again: list[str] = []
        self.taken: list[str] = []
        self.next_line = 1  # number of the line that comes next

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._stream.readline(MAX_LINE)
        if not line:
            raise StopIteration
        self.next_line += 1
        self.taken.append(line)
        return line

    def give_back(self, lines: list[str]) -> None:
        """Put lines back, to be read again."""
        self._again.extend(reversed(lines))
        self.next_line -= len(lines)

    def skip_rest_of_line(self) -> None:
        """Pass over what is left of a line that was cut at MAX_LINE."""
        while piece := self._stream.readline(MAX_LINE):
            if piece.endswith(("\n", "\r")):
                return


def read_rows(stream: TextIO, delimiter: str) -> Iterator[Row | BrokenRow]:
    """Yield the rows of a file opened with newline="" and errors=MARK_ERRORS; lines without any text are passed over.

    The first row is the header; every later row must have as many cells, or it is broken.
    """
    csv.field_size_limit(MAX_CELL)
    lines = _Lines(stream)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width = 0
    while True:
        start = lines.next_line
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if not lines.taken:
                return
            yield _break(lines, start, _csv_reason(str(error)))
            continue
        taken = lines.taken
        if len(taken[0]) >= MAX_LINE and len(taken) == 1 and not taken[0].endswith(("\n", "\r")):
            lines.skip_rest_of_line()
            yield BrokenRow(start, taken[0][:2000], "line_too_long")
            continue
        if not cells:
            continue
        if not width:
            if start == 1 and len(taken) == 1 and _SEPARATOR_LINE.match(taken[0]):
                continue
            width = len(cells)
        text = taken[0] if len(taken) == 1 else "".join(taken)
        if "\0" in text:
            yield BrokenRow(start, text.replace("\0", "\ufffd").replace(UNDECODABLE, "\ufffd"), "nul")
        elif UNDECODABLE in text:
            yield BrokenRow(start, text.replace(UNDECODABLE, "\ufffd"), "undecodable")
        elif len(cells) != width:
            if len(taken) > 1:  # a quote that was never closed took its neighbours in: let them go
                yield _break(lines, start, "unbalanced_quote")
            elif not any(cell.strip() for cell in cells[width:]) and len(cells) > width:
                yield Row(start, cells[:width])
            else:
                yield BrokenRow(start, text, "ragged", {"expected": width, "found": len(cells)})
        else:
            yield Row(start, cells)


def _break(lines: _Lines, start: int, code: str) -> BrokenRow:
    """Reject the first line of what was taken only, so that one bad quote costs one row."""
    taken = list(lines.taken)
    if len(taken[0]) >= MAX_LINE and not taken[0].endswith(("\n", "\r")):
        lines.skip_rest_of_line()
    elif len(taken) > 1:
        lines.give_back(taken[1:])
    text = taken[0].replace(UNDECODABLE, "\ufffd")
    return BrokenRow(start, text[:MAX_CELL].replace("\0", "\ufffd"), code)


def _csv_reason(message: str) -> str:
    return "cell_too_long" if "field larger than field limit" in message else "unbalanced_quote"
