"""The files of what did not come in: rejected rows, to be corrected and uploaded again, and cells left out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from cdp.common.formulas import escape_formula
from profiles.importing.reasons import ROW_REASONS, explain
from profiles.models import Import, ImportRow

#: columns added in front; the underscore keeps them out of the mapping when the file comes back
EXTRA = ("_line", "_column", "_reason", "_hint", "_text")
_ABOUT_A_CELL = frozenset(
    [
        "text_too_long",
        "list_too_long",
        "not_a_number",
        "not_a_date",
        "short_year",
        "not_yes_or_no",
        "not_an_email",
        "not_a_phone",
        "not_an_identifier",
        "stands_for_nobody",
        "no_key",
        "belongs_to_another",
        "too_many_identifiers",
    ]
)


def rejected_csv(job: Import, rows: Iterable[ImportRow]) -> Iterator[bytes]:
    """Yield the file: UTF-8 with a mark (for Excel), the delimiter of the upload, no cell that a spreadsheet would run.

    A row that could be cut into cells comes back in its own columns; a broken line comes back whole, in `_text`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=job.delimiter)
    width = len(job.header)
    yield b"\xef\xbb\xbf"
    writer.writerow([escape_formula(cell, job.delimiter) for cell in (*EXTRA, *job.header)])
    for row in rows:
        cells = list(row.cells or ())
        whole = len(cells) == width and row.reason in (*_ABOUT_A_CELL, "duplicate_identifier")
        column = str((row.params or {}).get("column", ""))
        line = [
            str(row.line),
            column,
            explain(row.reason, row.params),
            ROW_REASONS.hint(row.reason),
            "" if whole else job.delimiter.join(cells),
            *(cells if whole else [""] * width),
        ]
        writer.writerow([escape_formula(cell, job.delimiter) for cell in line])
        if buffer.tell() > 64 * 1024:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def left_out_csv(job: Import, rows: Iterable[ImportRow]) -> Iterator[bytes]:
    """Yield a line for each cell that a row came in without: where it stands in the file, and why; not what it held."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=job.delimiter)
    yield b"\xef\xbb\xbf"
    writer.writerow([*EXTRA[:4], "_person"])
    for row in rows:
        data = row.data or {}
        person = next((f"{kind}:{value}" for kind, value in data.get("i", ())), "")
        for column, code in data.get("w", ()):
            line = [str(row.line), column, ROW_REASONS.label(code), ROW_REASONS.hint(code), person]
            writer.writerow([escape_formula(cell, job.delimiter) for cell in line])
        if buffer.tell() > 64 * 1024:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()
