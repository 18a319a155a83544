"""The head of a file: header, first rows, and what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.importing.decoding import ENCODINGS, MARK_ERRORS, UNDECODABLE, reader_encoding
from profiles.importing.dialect import DELIMITERS, MAX_COLUMNS, BrokenRow, Row, read_rows, sniff_delimiter
from profiles.importing.headers import name_columns

_HEAD = 256 * 1024  # characters looked at for the delimiter
SAMPLE_ROWS = 100


@dataclass(frozen=True)
class Preview:
    """What the marketer sees before mapping."""

    encoding: str
    delimiter: str
    names: list[str]
    rows: list[list[str]]
    broken: int  # broken lines among those looked at
    warnings: list[str] = field(default_factory=list)

    def samples(self, index: int, count: int = 3) -> list[str]:
        """Return some different values of a column that are not empty."""
        values = dict.fromkeys(row[index].strip() for row in self.rows if row[index].strip())
        return [value[:80] for value in islice(values, count)]


def read_preview(raw: IO[bytes], encoding: str, delimiter: str = "") -> Preview:
    """Read the head of a file; an empty delimiter is found out. Raise CdpError when no header can be read."""
    if encoding not in (*ENCODINGS, "utf-32"):
        raise CdpError("import.encoding_unknown", _("There is no such encoding."), place="encoding")
    if delimiter and delimiter not in DELIMITERS:
        raise CdpError(
            "import.delimiter_unknown", _("The delimiter must be a semicolon, comma, tab or bar."), place="delimiter"
        )
    try:
        with open(
            raw.fileno(), encoding=reader_encoding(encoding), errors=MARK_ERRORS, newline="", closefd=False
        ) as text:
            if not delimiter:
                delimiter = sniff_delimiter(text.read(_HEAD))
                text.seek(0)
            rows = list(islice(read_rows(text, delimiter), SAMPLE_ROWS + 1))
    except UnicodeError:  # UTF-16 and UTF-32 ask for a mark at the start
        raise CdpError(
            "import.encoding_wrong",
            _("The file cannot be read in this encoding. Choose another one."),
            place="encoding",
        ) from None
    if not rows:
        raise CdpError("import.file_empty", _("The file has no lines with text."))
    header = rows[0]
    if isinstance(header, BrokenRow):
        raise CdpError(
            "import.header_unreadable",
            _("The first line, which should name the columns, cannot be read. Try another encoding or delimiter."),
            place=_("line %(line)s") % {"line": header.line},
            detail={"reason": header.code},
        )
    if len(header.cells) > MAX_COLUMNS:
        raise CdpError(
            "import.too_many_columns",
            _("The file has %(count)s columns; %(most)s is the most. Is the delimiter right?")
            % {"count": len(header.cells), "most": MAX_COLUMNS},
        )
    if len(rows) == 1:
        raise CdpError("import.no_rows", _("The file has a header and no rows below it."))
    names, warnings = name_columns(header.cells)
    good = [row.cells for row in rows[1:] if isinstance(row, Row)]
    if any(UNDECODABLE in cell for cell in header.cells):
        warnings.append("undecodable")
    return Preview(encoding, delimiter, names, good, len(rows) - 1 - len(good), warnings)
