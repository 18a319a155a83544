"""Log lines: one line for a person, JSON for a machine. Bodies and addresses are never logged (ASVS 16.2)."""

from __future__ import annotations

import logging

import structlog


def formatter(*, as_json: bool) -> logging.Formatter:
    """Return the formatter that `LOGGING` names."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        structlog.stdlib.ExtraAdder(),
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if not as_json:
        # The default of this renderer writes the values of variables beside each line: people's names among them.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain)
    chain: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        chain.append(structlog.processors.format_exc_info)
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*chain, renderer])
