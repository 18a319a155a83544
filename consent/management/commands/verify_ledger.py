"""manage.py verify_ledger: check every chain, head, text, piece of evidence, seal and kept state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from consent.export import export_lines
from consent.services.verifying import verify_ledger


class Command(BaseCommand):
    """Verify the consent ledger, or export it to be verified elsewhere."""

    help = "Verify the consent ledger; --export FILE writes it out for `python -m consent.verify FILE`."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file to export to."""
        parser.add_argument("--export", metavar="FILE", help="write the ledger to a file instead (holds personal data)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is wrong; end with an error if anything is."""
        if options["export"]:
            target = Path(options["export"])
            with target.open("w", encoding="utf-8") as file:
                target.chmod(0o600)
                file.writelines(export_lines())
            self.stdout.write(f"written to {target}")
            return
        problems = verify_ledger()
        for problem in problems:
            self.stdout.write(f"{problem.code}: {problem.place}: {problem.message}")
        if problems:
            raise CommandError(f"{len(problems)} problems in the ledger")
        self.stdout.write("the ledger is whole")
