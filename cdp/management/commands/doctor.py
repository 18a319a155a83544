"""`manage.py doctor`: every check with its result and its fix."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cdp.health.checks import run_checks


class Command(BaseCommand):
    """Look at the installation; exit with 1 when something that matters is wrong."""

    help = "Check the installation and say how to fix what is wrong."
    requires_system_checks: list[str] = []  # it must also speak when those fail

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Offer JSON for other programs."""
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks and print them."""
        results = run_checks()
        ok = not any(result.critical and not result.ok for result in results)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": ok, "checks": [result.as_json() for result in results]}, indent=2))
        else:
            for result in results:
                sign = "ok  " if result.ok else ("FAIL" if result.critical else "warn")
                self.stdout.write(f"{sign}  {result.label}: {result.found}")
                if result.fix:
                    self.stdout.write(f"      -> {result.fix}")
        if not ok:
            sys.exit(1)
