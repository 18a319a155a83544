"""The kinds of identifier and the sources that every installation begins with."""

from __future__ import annotations

from typing import Any

from django.db import migrations

KINDS = [
    # name, label, priority, most per person
    ("user_id", "User ID", 1, 1),
    ("email", "E-mail address", 2, 5),
    ("phone", "Phone number", 3, 5),
    ("anonymous_id", "Device", 9, 50),
]
SOURCES = [
    # slug, name, kind
    ("import", "File imports", "import"),
    ("manual", "Entered by hand", "manual"),
    ("klantbeeld", "Klantbeeld", "system"),
]


def add_defaults(apps: Any, schema_editor: Any) -> None:
    """Add what is missing; leave what an administrator changed."""
    kind = apps.get_model("profiles", "IdentifierKind")
    for name, label, priority, limit in KINDS:
        kind.objects.get_or_create(
            name=name, defaults={"label": label, "priority": priority, "limit": limit}
        )
    source = apps.get_model("profiles", "Source")
    for slug, name, of_kind in SOURCES:
        source.objects.get_or_create(slug=slug, defaults={"name": name, "kind": of_kind})


class Migration(migrations.Migration):
    dependencies = [("profiles", "0002_partitioned_tables")]

    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]
