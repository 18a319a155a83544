"""Log lines: one line for a person, JSON for a machine. Bodies and addresses are never logged (ASVS 16.2)."""

from __future__ import annotations

import logging
import re
from typing import Any

import structlog

from cdp.common.masking import DOTS, mask_addresses

#: of the query of an address only the names of its parameters are kept
_QUERY = re.compile(r"(?<=[^\s?])\?(?=[^\s'\"<>?=]+=)[^\s'\"<>]*")
_NAME = re.compile(r"[?&]([^\s=&'\"<>]{1,60})=")
#: a person in a path: `/profiles/user_id:4711/`, percent-encoded or not
_NAMED = re.compile(r"(/(?:profiles|permissions|people|members)/[a-z_]{1,40}(?::|%3a))[^/\s'\"<>?]+", re.IGNORECASE)
_PHONE = re.compile(r"(?:\+|%2b)\d{8,15}\b", re.IGNORECASE)
#: what PostgreSQL says of a row that it refuses
_ROW = re.compile(r"(Key \([^)\n]*\)=\()[^\n]*?(\) (?:already exists|is not present|is still referenced)|(?=\n|$))")
_FAILING = re.compile(r"(Failing row contains|COPY [a-z_]+, line \d+)[^\n]*")


def without_people(text: str) -> str:
    """Return a log line without addresses, telephone numbers, values of queries and rows that a database refused."""
    text = _QUERY.sub(lambda query: "?" + "&".join(f"{name}={DOTS}" for name in _NAME.findall(query[0])), text)
    text = _NAMED.sub(rf"\1{DOTS}", text)
    text = _FAILING.sub(rf"\1 {DOTS}", _ROW.sub(rf"\1{DOTS}\2", text))
    return _PHONE.sub(DOTS, mask_addresses(text))


def _mask_event(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Mask every text of an event; what is no plain value (a request) is written out first."""
    for name, value in event.items():
        if value is not None and not isinstance(value, bool | int | float):
            event[name] = without_people(value if isinstance(value, str) else str(value))
    return event


def formatter(*, as_json: bool) -> logging.Formatter:
    """Return the formatter that `LOGGING` names."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        structlog.stdlib.ExtraAdder(),
    ]
    render: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if not as_json:
        # The default of this renderer writes the values of variables beside each line: people's names among them.
        plain = structlog.dev.plain_traceback
        console = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain)

        def render_plainly(logger: Any, method: str, event: structlog.typing.EventDict) -> str:
            return without_people(console(logger, method, event))

        render = render_plainly
    chain: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        chain += [structlog.processors.format_exc_info, _mask_event]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*chain, render])
