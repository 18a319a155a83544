"""Who was handed over to the mail server, kept outside the database: a restored backup does not know it any more.

One file a campaign, below JOURNAL_DIR: a sign and a keyed digest of campaign and person for each message, `+` before it
is handed over and `-` when the server did not take it. Written without waiting for the disk: it must survive our
processes and the database, not a power cut, and whatever it misses is still caught by the pause of a restored campaign.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from uuid import UUID

from django.conf import settings

_BYTES = 15
_RECORD = 1 + _BYTES


class SentLog:
    """The log of one campaign; appended to by any number of threads and processes."""

    def __init__(self, campaign_uuid: UUID) -> None:
        self._campaign = campaign_uuid
        self.path = Path(settings.JOURNAL_DIR) / "sent" / f"{campaign_uuid}.log"
        self._descriptor: int | None = None

    def begun(self, profile_uuid: UUID, occurrence: str = "") -> None:
        """Note that a message is about to be handed over."""
        self._append(b"+" + self._digest(settings.SUPPRESSION_KEY, profile_uuid, occurrence))

    def not_taken(self, profile_uuid: UUID, occurrence: str = "") -> None:
        """Note that the mail server did not take it."""
        self._append(b"-" + self._digest(settings.SUPPRESSION_KEY, profile_uuid, occurrence))

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def handed_over(self) -> set[bytes]:
        """Return the digests of those who were handed over and may have the message."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return set()
        found: set[bytes] = set()
        for at in range(0, len(data) - _RECORD + 1, _RECORD):
            digest = data[at + 1 : at + _RECORD]
            (found.add if data[at : at + 1] == b"+" else found.discard)(digest)
        return found

    def forms(self, profile_uuid: UUID, occurrence: str = "") -> list[bytes]:
        """Return the digests by which a person may stand in the log: under the key of now, or one it replaced."""
        keys = (settings.SUPPRESSION_KEY, *settings.SUPPRESSION_KEY_FALLBACKS)
        return [self._digest(key, profile_uuid, occurrence) for key in keys]

    def _digest(self, key: str, profile_uuid: UUID, occurrence: str) -> bytes:
        named = self._campaign.bytes + profile_uuid.bytes + occurrence.encode()
        return hmac.digest(key.encode(), named, "sha256")[:_BYTES]

    def _append(self, record: bytes) -> None:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._descriptor, record)
