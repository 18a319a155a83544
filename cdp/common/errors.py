"""The one error that services raise for what a user did or asked."""

from __future__ import annotations

from typing import Any


class CdpError(Exception):
    """Refuse a request with a stable code, a message for a person and, where known, the place and the remedy.

    `code` is dotted and stable (`segment.rule_invalid`); `message` is a translated sentence; `place` names the
    offending part (a line, a column, a node path); `fields` says per field what is wrong; `status` is the HTTP status
    that fits.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        place: str = "",
        status: int = 400,
        detail: dict[str, Any] | None = None,
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
        self.status = status
        self.detail = detail or {}
        self.fields = fields or {}

    def as_dict(self) -> dict[str, Any]:
        """Return the body that every API answers with."""
        body: dict[str, Any] = {"code": self.code, "message": str(self.message)}
        if self.place:
            body["place"] = self.place
        if self.detail:
            body["detail"] = self.detail
        if self.fields:
            body["fields"] = self.fields
        return body


class NotAllowed(CdpError):
    """Refuse what the caller has no permission for."""

    def __init__(self, message: str, *, code: str = "permission_denied") -> None:
        super().__init__(code, message, status=403)
