"""Run the programs of a family of SDKs side by side over bad lines, restart them, and compare sent with stored."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from profiles.processing.drain import drain_inbox
from tests.live import REPOSITORY, Site
from tests.profiles.collector.endpoint import server_source
from tests.sdks.calls import ROUNDS, Findings, Sdk, compare
from tests.sdks.line import FAULTS, Line, bad_line
from tests.sdks.table import note

ROUND_SECONDS = 90


@dataclass(frozen=True)
class Program:
    """How the program of an SDK is started."""

    sdk: Sdk
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def some_time_ago() -> datetime:
    """Return a time that no clock of this run shows, in whole milliseconds."""
    return (datetime.now(UTC) - timedelta(hours=3)).replace(microsecond=123_000)


def exercise(programs: list[Program], site: Site) -> dict[str, dict[str, str]]:
    """Run each program twice over a bad line; return what is wrong by SDK, nothing when all is right."""
    when = some_time_ago()
    with ExitStack() as open_lines:
        lines = {program.sdk.name: open_lines.enter_context(bad_line(site.url)) for program in programs}
        sources = {}
        environments = {}
        for program in programs:
            sources[program.sdk.name], key = server_source(name=program.sdk.title)
            environments[program.sdk.name] = {
                **os.environ,
                **program.environment,
                "NAME": program.sdk.name,
                "KEY": key,
                "SITE": lines[program.sdk.name].url,
                "WHEN": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            }

        def run(program: Program) -> str:
            for number in ROUNDS:
                environment = {**environments[program.sdk.name], "ROUND": str(number)}
                done = subprocess.run(
                    program.command,
                    cwd=REPOSITORY,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=ROUND_SECONDS,
                    check=False,
                )
                if done.returncode != 0:
                    return f"round {number} failed: {done.stderr[-600:]}"
            return "ok"

        with ThreadPoolExecutor(len(programs)) as pool:
            ends = dict(zip((program.sdk.name for program in programs), pool.map(run, programs), strict=True))
    while drain_inbox():
        pass
    wrong = {}
    for program in programs:
        findings = compare(program.sdk, sources[program.sdk.name], when)
        findings.words["runs"] = ends[program.sdk.name]
        judge_line(findings, lines[program.sdk.name])
        note(findings)
        if findings.wrong:
            wrong[program.sdk.name] = findings.wrong
    return wrong


def judge_line(findings: Findings, line: Line, faults: tuple[str, ...] = FAULTS) -> None:
    """Say for each fault whether the SDK met it: what was met and is stored was sent again."""
    for fault in FAULTS:
        findings.words[fault] = "none" if fault not in faults else "ok" if fault in line.log else "not met"
