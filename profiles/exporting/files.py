"""The files of exports: compressed, below VAR_DIR/exports, readable by nobody else on the machine."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from cdp.common.exports import Column, Described, csv_cell, json_time
from profiles.models import Export
from profiles.models.export import ExportFormat

#: fast, and some five times smaller
COMPRESSION = 5


def folder() -> Path:
    """Return the folder of the files, made when it is missing."""
    path = Path(settings.VAR_DIR) / "exports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(job: Export) -> Path:
    """Return where the finished file of an export is."""
    return folder() / f"{job.uuid}.gz"


def delete_file(job: Export) -> None:
    """Delete the file of an export, the unfinished one too."""
    path_of(job).unlink(missing_ok=True)
    _unfinished(job).unlink(missing_ok=True)


def _unfinished(job: Export) -> Path:
    return folder() / f"{job.uuid}.part"


def stored_files() -> list[tuple[Path, datetime]]:
    """Return every file with the time of its last change."""
    found = []
    for path in folder().iterdir():
        try:
            found.append((path, datetime.fromtimestamp(path.stat().st_mtime, UTC)))
        except FileNotFoundError:
            continue
    return found


class ExportFile:
    """A file being written, block by block."""

    def __init__(self, file: Any, job: Export, columns: Sequence[Column]) -> None:
        self._file = file
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=file, mtime=0)
        self._columns = columns if job.format == ExportFormat.CSV else None
        if self._columns is not None:
            self._write(_csv_lines([[csv_cell(column.heading) for column in self._columns]]))

    def add(self, rows: Sequence[Described]) -> None:
        """Append rows."""
        if self._columns is None:
            self._write(
                "".join(
                    json.dumps(row, ensure_ascii=False, default=json_time, separators=(",", ":")) + "\n" for row in rows
                )
            )
        else:
            self._write(_csv_lines([[csv_cell(column.value(row)) for column in self._columns] for row in rows]))

    @property
    def size(self) -> int:
        """Return how many bytes are written so far."""
        return int(self._file.tell())

    def close(self) -> None:
        """End the compressed stream."""
        self._gzip.close()

    def _write(self, text: str) -> None:
        self._gzip.write(text.encode())


def _csv_lines(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


@contextmanager
def written(job: Export, columns: Sequence[Column]) -> Iterator[ExportFile]:
    """Give a file to write; it takes its place when all of it is written, and else it is gone."""
    path = _unfinished(job)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            target = ExportFile(file, job, columns)
            yield target
            target.close()
            file.flush()
            os.fsync(file.fileno())
        path.rename(path_of(job))
    finally:
        path.unlink(missing_ok=True)
