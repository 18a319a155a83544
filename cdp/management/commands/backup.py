"""`manage.py backup <file>`: the database, the secrets and the uploaded files in one file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cdp.backup import BackupError, make_backup


class Command(BaseCommand):
    """Make a backup while everything runs."""

    help = "Write the database, the secrets and the uploaded files to a file. It holds secrets: keep it as such."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for the file."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it."""
        target = Path(options["file"]).absolute()
        try:
            make_backup(target)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{target}: {target.stat().st_size // 1024} kB. Keep JOURNAL_DIR apart from it.")
