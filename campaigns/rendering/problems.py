"""What can be wrong with a message, said with the place and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from cdp.common.errors import CdpError


class TemplateProblem(CdpError):
    """Refuse a template at save. `place` reads like "body, line 3"."""

    def __init__(self, message: str, *, field: str, line: int = 0) -> None:
        place = f"{field}, line {line}" if line else field
        super().__init__("message.template_invalid", message, place=place, detail={"field": field, "line": line})
        self.field = field
        self.line = line


class RenderFailure(Exception):
    """One person's copy could not be rendered; others may well be. `reason` is a stable code."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Warning:
    """Something to look at; saving goes on."""

    code: str
    message: str
    field: str = "body"
    line: int = 0
