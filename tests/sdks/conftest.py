"""At the end of a run with `-s`: the table of SDKs."""

from __future__ import annotations

import pytest

from tests.sdks.table import forget, table


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the table anew."""
    if session.config.option.capture == "no":
        forget()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the SDK tests of this run found."""
    if config.option.capture == "no":
        terminalreporter.write_line(table())
