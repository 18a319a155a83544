"""manage.py verify_erasure: search the whole installation for what should be gone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from consent.mentions import files_with, find_mentions


class Command(BaseCommand):
    """Search every table and file for values of an erased person."""

    help = "Search every table and file for values (an address, a customer number) of somebody who was erased."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the values."""
        parser.add_argument("values", nargs="+", metavar="value", help="an address, number or name to search for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each place with the rows that hold a value; end with an error if there is any."""
        values = [value for value in options["values"] if value.strip()]
        mentions = find_mentions(values)
        for place, rows in sorted(mentions.found.items()):
            self.stdout.write(f"{place.table}.{place.column}: {rows}")
        files = files_with(values)
        for path in files:
            self.stdout.write(f"{path}")
        if mentions.found or files:
            raise CommandError(f"found in {len(mentions.found)} columns and {len(files)} files")
        self.stdout.write("nothing was found")
