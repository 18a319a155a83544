"""How the collector refuses. SDKs need both `code` and `message`: one retries ten times without them."""

from __future__ import annotations


class Refusal(Exception):
    """Answer `status` with a stable code, a sentence and, where retrying helps, the seconds to wait.

    `source_id` and `key_start` say whose request it was, as far as that is known: for the page of sources.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        retry_after: int | None = None,
        *,
        source_id: int | None = None,
        key_start: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.source_id = source_id
        self.key_start = key_start
