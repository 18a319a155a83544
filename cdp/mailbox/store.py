"""Captured mails as files: one .eml each, newest last by name, the recipient in the name for a fast search."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import default as default_policy
from pathlib import Path
from urllib.parse import quote, unquote

KEEP = 20_000
KEY_LENGTH = 26
_KEY = re.compile(r"^\d{19}-\d{6}$")
_NAME = re.compile(r"^(\d{19})-(\d{6})-([^/\x00]{0,160})\.eml$")


@dataclass(frozen=True)
class Captured:
    """A mail in the box. `name` is that of its file; `key` names it in addresses, which are logged: no recipient."""

    name: str
    at: datetime
    recipient: str

    @property
    def key(self) -> str:
        """Return what names the mail without telling whose it is."""
        return self.name[:KEY_LENGTH]


class MailStore:
    """Read and write the box below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def add(self, *, sender: str, recipients: list[str], content: bytes) -> str:
        """Keep one mail with its envelope; return its name. The file appears whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._count = (self._count + 1) % 1_000_000
        recipient = quote(recipients[0] if recipients else "", safe="@.+-_")[:160]
        name = f"{time.time_ns():019d}-{self._count:06d}-{recipient}.eml"
        envelope = f"X-Envelope-From: {_one_line(sender)}\r\nX-Envelope-To: {_one_line(', '.join(recipients))}\r\n"
        handle = os.open(self.folder / (name + ".part"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(envelope.encode("utf-8", "replace") + content)
        (self.folder / (name + ".part")).rename(self.folder / name)
        return name

    def newest(self, *, text: str = "", before: str = "", limit: int = 50) -> list[Captured]:
        """Return mails, newest first, whose recipient holds `text`, older than the mail named `before`."""
        found: list[Captured] = []
        for name in self._names():
            match = _NAME.match(name)
            if not match or (before and name >= before):
                continue
            recipient = unquote(match[3])
            if text.lower() not in recipient.lower():
                continue
            at = datetime.fromtimestamp(int(match[1]) / 1e9, tz=UTC)
            found.append(Captured(name=name, at=at, recipient=recipient))
            if len(found) == limit:
                break
        return found

    def name_of(self, key: str) -> str:
        """Return the name of the mail with this key; "" when it is not there."""
        if not _KEY.match(key):
            return ""
        return next((name for name in self._names() if name.startswith(f"{key}-")), "")

    def count(self) -> int:
        """Return how many mails are kept."""
        return sum(1 for _name in self._names())

    def raw(self, name: str) -> bytes | None:
        """Return the mail's bytes; None when there is no such mail (names are checked: no path escapes)."""
        if not _NAME.match(name):
            return None
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def message(self, name: str) -> EmailMessage | None:
        """Return the parsed mail."""
        raw = self.raw(name)
        return None if raw is None else message_from_bytes(raw, policy=default_policy)

    def clear(self) -> int:
        """Throw all mails away; return how many."""
        names = list(self._names())
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        return len(names)

    def trim(self) -> None:
        """Drop the oldest beyond KEEP, so that a laptop's disk stays free."""
        for name in list(self._names())[KEEP:]:
            (self.folder / name).unlink(missing_ok=True)

    def remove_older(self, before: datetime, limit: int) -> int:
        """Delete the oldest mails, and pieces of mails, that came before a moment; return how many."""
        gone = [name for name, at in self._ages() if at < before][:limit]
        for name in gone:
            (self.folder / name).unlink(missing_ok=True)
        return len(gone)

    def survey(self, before: datetime) -> tuple[int, datetime | None]:
        """Return how many mails came before a moment, and when the oldest came."""
        ages = self._ages()
        return sum(at < before for _name, at in ages), ages[0][1] if ages else None

    def _ages(self) -> list[tuple[str, datetime]]:
        """Return every file with the time in its name, oldest first; a writer that was killed left a piece."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder))
        except FileNotFoundError:
            return []
        return [
            (name, datetime.fromtimestamp(int(match[1]) / 1e9, tz=UTC))
            for name in names
            if (match := _NAME.match(name.removesuffix(".part")))
        ]

    def _names(self) -> Iterator[str]:
        try:
            names = [entry.name for entry in os.scandir(self.folder) if entry.name.endswith(".eml")]
        except FileNotFoundError:
            return iter(())
        return iter(sorted(names, reverse=True))


#: what the library raises for headers and charsets that mean nothing
_UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)


def header_text(message: EmailMessage, name: str) -> str:
    """Return a header as text, as it stands when it cannot be decoded; empty when there is none."""
    try:
        return _printable(str(message[name] or ""))
    except _UNREADABLE:
        raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
        return _printable(str(raw))


def part_text(part: MIMEPart) -> str:
    """Return the text of a part; in a charset that nobody knows as much as can be read of it."""
    try:
        return _printable(str(part.get_content()))
    except _UNREADABLE:
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _printable(text: str) -> str:
    """Return text that can be sent: bytes that no charset explained are half characters here."""
    return text.encode("utf-8", "replace").decode()


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)
