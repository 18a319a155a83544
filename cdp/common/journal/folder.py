"""The folder of the journal: files that are only ever appended to, or replaced as a whole."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_NAME = re.compile(r"journal-(\d+)\.jsonl$")
Entry = dict[str, Any]


@dataclass(frozen=True, order=True)
class Place:
    """A place in the journal: bytes from the beginning of a generation. Each compaction begins a new generation."""

    generation: int
    offset: int


class JournalFolder:
    """The files below one folder; every method that changes something is called under `locked`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the folder for oneself among all processes that share it; False when `wait` is not and it is held."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.path / "lock", "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    # The marker ---------------------------------------------------------------------------------------------------

    def marker(self) -> Entry | None:
        """Return the marker; None when there is none, or none that can be read."""
        try:
            found = json.loads((self.path / "marker.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write_marker(self, marker: Entry) -> None:
        """Replace the marker."""
        self._replace("marker.json", json.dumps(marker, sort_keys=True).encode())

    # The journal --------------------------------------------------------------------------------------------------

    def end(self) -> Place:
        """Return the place behind the last entry."""
        generation = self._generation()
        try:
            return Place(generation, self._file(generation).stat().st_size)
        except FileNotFoundError:
            return Place(generation, 0)

    def append(self, entries: Iterable[Entry]) -> Place:
        """Write entries at the end, on disk when this returns; return the new end."""
        end = self.end()
        data = b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
        descriptor = os.open(self._file(end.generation), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if end.offset and not self._ends_in_newline(end):
                data = b"\n" + data  # what a power cut left half written stays a line of its own
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not end.offset:
            self._sync_folder()
        return self.end()

    def read(self, since: Place) -> Iterator[Entry]:
        """Yield the entries behind a place; all of them when the journal was compacted since."""
        end = self.end()
        offset = since.offset if since.generation == end.generation and since.offset <= end.offset else 0
        try:
            file = open(self._file(end.generation), "rb")  # noqa: SIM115 - closed by the `with` below
        except FileNotFoundError:
            return
        with file:
            file.seek(offset)
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    if line.strip():
                        logger.error("a line of the journal cannot be read and is passed over")
                    continue
                if isinstance(entry, dict):
                    yield entry

    def replace(self, entries: Iterable[Entry]) -> Place:
        """Begin a new generation that holds only these entries; return its end. `forget_older` removes the others."""
        generation = self._generation() + 1
        data = b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
        self._replace(self._file(generation).name, data)
        return self.end()

    def forget_older(self) -> None:
        """Remove the generations before the last."""
        last = self._generation()
        for generation, file in self._generations():
            if generation < last:
                file.unlink(missing_ok=True)

    def _generations(self) -> list[tuple[int, Path]]:
        found = ((_NAME.match(file.name), file) for file in self.path.glob("journal-*.jsonl"))
        return sorted((int(match[1]), file) for match, file in found if match)

    def _generation(self) -> int:
        generations = self._generations()
        return generations[-1][0] if generations else 1

    def _file(self, generation: int) -> Path:
        return self.path / f"journal-{generation}.jsonl"

    def _ends_in_newline(self, end: Place) -> bool:
        with open(self._file(end.generation), "rb") as file:
            file.seek(end.offset - 1)
            return file.read(1) == b"\n"

    def _replace(self, name: str, data: bytes) -> None:
        draft = self.path / f".{name}.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / name)
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
