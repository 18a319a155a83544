"""Find out in which encoding a file was written, and whether it is a text file at all.

Detectors that guess by statistics mistake Western European files (cp1252 `crème` for cp1250 `crčme`), so this asks
only what can be known: a byte order mark, valid UTF-8, the zeros of UTF-16; the rest is cp1252, shown in a preview
that the marketer can overrule.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

#: encodings that the marketer may choose; the names are Python's
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 (little end first, no mark)",
    "utf-16-be": "UTF-16 (big end first, no mark)",
    "cp1252": "Windows-1252 (Western European)",
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1257": "Windows-1257 (Baltic)",
    "iso-8859-1": "ISO-8859-1 (Latin 1)",
    "iso-8859-2": "ISO-8859-2 (Latin 2)",
    "iso-8859-15": "ISO-8859-15 (Latin 9)",
    "cp850": "DOS (code page 850)",
    "cp437": "DOS (code page 437)",
    "cp852": "DOS (code page 852, Central European)",
    "mac-roman": "Mac Roman",
    "mac-latin2": "Mac (Central European)",
}

#: stands for bytes that have no meaning in the chosen encoding; no valid text holds it, so such rows are found
UNDECODABLE = "\udcff"

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: first bytes of files that are often renamed to .csv -> code of the refusal
_SIGNATURES = (
    (b"PK\x03\x04", "import.file_is_workbook"),
    (b"PK\x05\x06", "import.file_is_workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "import.file_is_workbook"),
    (b"%PDF-", "import.file_is_pdf"),
    (b"\x1f\x8b", "import.file_is_compressed"),
    (b"BZh", "import.file_is_compressed"),
    (b"7z\xbc\xaf\x27\x1c", "import.file_is_compressed"),
    (b"\xfd7zXZ\x00", "import.file_is_compressed"),
)


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


#: name for the `errors` argument of open(): keep going, and leave a mark in the row
MARK_ERRORS = "klantbeeld.mark"
codecs.register_error(MARK_ERRORS, _mark_undecodable)


def foreign_file(head: bytes) -> str:
    """Return the code that says what kind of file this really is, or "" when it may be text."""
    for signature, code in _SIGNATURES:
        if head.startswith(signature):
            return code
    return ""


_BREAKS = re.compile(rb"[;,|\t\r\n\"\0]")


@dataclass
class EncodingDetector:
    """Take a file's bytes in pieces, in order; then tell its encoding. Holds a few KB, whatever the file's size."""

    _head: bytes = b""
    _valid_utf8: bool = True

    def __post_init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")

    def feed(self, piece: bytes) -> None:
        """Look at the next piece."""
        if len(self._head) < 4096:
            self._head += piece[: 4096 - len(self._head)]
        if self._valid_utf8:
            try:
                self._utf8.decode(piece)
            except UnicodeDecodeError:
                self._valid_utf8 = False

    def result(self) -> str:
        """Return a key of ENCODINGS (or `utf-32`); call once, after the last piece."""
        for mark, encoding in _MARKS:
            if self._head.startswith(mark):
                return encoding
        by_zeros = _utf16_by_zeros(self._head)
        if by_zeros:
            return by_zeros
        if self._valid_utf8:
            try:
                self._utf8.decode(b"", final=True)
            except UnicodeDecodeError:
                return "cp1252"
            return "utf-8"
        return "cp1252"


def _utf16_by_zeros(head: bytes) -> str:
    """Western text in UTF-16 has a zero in every second byte: after each letter, or before it."""
    pairs = len(head) // 2
    if pairs < 4:
        return ""
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if odd > 0.6 * pairs and even < 0.1 * pairs:
        return "utf-16-le"
    if even > 0.6 * pairs and odd < 0.1 * pairs:
        return "utf-16-be"
    return ""


def detect_encoding(content: bytes) -> str:
    """Return the encoding of bytes that are at hand as a whole."""
    detector = EncodingDetector()
    detector.feed(content)
    return detector.result()


def telling_bytes(head: bytes) -> bytes:
    """Return the word with the first byte that encodings disagree about; empty when there is none."""
    at = next((place for place, byte in enumerate(head) if byte >= 0x80), None)
    if at is None or head.startswith(tuple(mark for mark, _encoding in _MARKS)):
        return b""
    begin, end = max(at - 20, 0), at + 20
    before, after = _BREAKS.split(head[begin:at])[-1], _BREAKS.split(head[at:end])[0]
    return before + after


def as_read(sample: bytes, encoding: str) -> str:
    """Return some bytes as an encoding reads them; empty when they mean nothing in it."""
    if encoding.startswith("utf-16"):
        return ""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def reader_encoding(encoding: str) -> str:
    """Return the codec that also drops a byte order mark."""
    return "utf-8-sig" if encoding == "utf-8" else encoding
