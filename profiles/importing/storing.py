"""Take an uploaded file in: in pieces, inflated when it is gzip, never larger than allowed."""

from __future__ import annotations

import gzip
import hashlib
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.importing.decoding import EncodingDetector, foreign_file

PIECE = 256 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class StoredFile:
    """A file that was taken in: where it is, and what its bytes say."""

    name: str
    digest: str
    size: int
    encoding: str


def _foreign_message(code: str) -> str:
    return {
        "import.file_is_workbook": _(
            "This is a workbook (Excel or LibreOffice), whatever its name says. Open it and save it as “CSV UTF-8”."
        ),
        "import.file_is_pdf": _("This is a PDF, whatever its name says. Export the contacts as CSV."),
        "import.file_is_compressed": _(
            "This file is compressed in a way that is not read here. Upload the CSV itself, or a .csv.gz."
        ),
    }[code]


class _Intake(File):  # type: ignore[type-arg]  # django-stubs: File takes AnyStr, we only stream bytes
    """Hand the upload's bytes to the storage in pieces, looking at each as it passes."""

    def __init__(self, upload: IO[bytes], limit: int) -> None:
        super().__init__(upload)
        self._limit = limit
        self.detector = EncodingDetector()
        self.digest = hashlib.sha256()
        self.taken = 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the pieces; raise CdpError for what is no CSV, or too large."""
        upload = cast("IO[bytes]", self.file)
        upload.seek(0)
        head = upload.read(8)
        upload.seek(0)
        packed = head.startswith(_GZIP)
        stream: IO[bytes] = gzip.GzipFile(fileobj=upload, mode="rb") if packed else upload  # type: ignore[assignment]  # GzipFile reads bytes
        try:
            while piece := stream.read(PIECE):
                if not self.taken and (code := foreign_file(piece[:8])):
                    raise CdpError(code, _foreign_message(code))
                self.taken += len(piece)
                if self.taken > self._limit:
                    raise CdpError(
                        "import.file_too_large",
                        _(
                            "The file is larger than %(mb)s MB, the most this installation takes "
                            "(IMPORT_MAX_BYTES). Split it."
                        )
                        % {"mb": self._limit // 1024 // 1024},
                        status=413,
                    )
                self.digest.update(piece)
                self.detector.feed(piece)
                yield piece
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise CdpError("import.file_damaged", _("The compressed file is damaged. Make it again.")) from None


def store_upload(upload: IO[bytes]) -> StoredFile:
    """Store the bytes in the private storage; leave nothing behind when they are refused."""
    intake = _Intake(upload, settings.IMPORT_MAX_BYTES)
    name = f"imports/{uuid.uuid4().hex}.csv"
    try:
        name = default_storage.save(name, intake)
    except CdpError:
        default_storage.delete(name)
        raise
    except OSError as error:
        default_storage.delete(name)
        raise CdpError(
            "import.cannot_store",
            _("The file could not be stored: %(reason)s.") % {"reason": error.strerror},
            status=507,
        ) from error
    if not intake.taken:
        default_storage.delete(name)
        raise CdpError("import.file_empty", _("The file is empty."))
    return StoredFile(name, intake.digest.hexdigest(), intake.taken, intake.detector.result())


def delete_file(name: str) -> None:
    """Remove a stored file; it holds personal data and is kept no longer than needed."""
    if name:
        default_storage.delete(name)
