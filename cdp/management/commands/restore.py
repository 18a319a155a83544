"""`manage.py restore <file>`: put a backup back; campaigns stand still, refusals and erasures are applied again."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cdp.backup import BackupError, restore_backup
from cdp.common.journal.upkeep import restored_text


class Command(BaseCommand):
    """Restore a backup while nothing else runs."""

    help = "Put a backup back into the database of DATABASE_URL. Stop web, workers and beat before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for the file, and whether a database that holds something may be emptied."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="throw away what the database holds")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore it and say what was done."""
        try:
            row = restore_backup(Path(options["file"]), replace=options["replace"])
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(restored_text(row) if row.restored_at else "Restored: nothing happened since the backup.")
