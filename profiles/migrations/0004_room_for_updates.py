"""Leave room on the pages of rows that every visit updates.

The times of identifiers stand in no index: with room on its page a new version of the row needs no new index entries.
"""

from __future__ import annotations

from django.db import migrations

TABLES = ("profiles_identifier", "profiles_profile")


class Migration(migrations.Migration):
    """Set the fill factor of people and their identifiers."""

    dependencies = [("profiles", "0003_default_sources_and_kinds")]

    operations = [
        migrations.RunSQL(
            [f"ALTER TABLE {table} SET (fillfactor = 80)" for table in TABLES],
            [f"ALTER TABLE {table} RESET (fillfactor)" for table in TABLES],
        )
    ]
