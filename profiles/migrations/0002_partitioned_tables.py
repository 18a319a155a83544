"""The two tables that only grow, cut by time, and the sequence that the collector takes raw ids from in blocks."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from profiles import partitions

RAW = """
CREATE SEQUENCE profiles_raw_id_seq AS bigint INCREMENT BY 1 CACHE 1;
CREATE TABLE profiles_rawmessage (
    id bigint NOT NULL DEFAULT nextval('profiles_raw_id_seq'),
    received_at timestamptz NOT NULL,
    source_id bigint NOT NULL,
    endpoint varchar(16) NOT NULL,
    ip inet,
    user_agent text NOT NULL DEFAULT '',
    body bytea NOT NULL,
    PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);
CREATE TABLE profiles_rawmessage_default PARTITION OF profiles_rawmessage DEFAULT;
"""

INTERACTION = """
CREATE SEQUENCE profiles_interaction_id_seq AS bigint CACHE 100;
CREATE TABLE profiles_interaction (
    profile_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    id bigint NOT NULL DEFAULT nextval('profiles_interaction_id_seq'),
    identifier_id bigint NOT NULL,
    received_at timestamptz NOT NULL,
    kind varchar(10) NOT NULL,
    name varchar(200) NOT NULL,
    properties jsonb NOT NULL DEFAULT '{}',
    context jsonb NOT NULL DEFAULT '{}',
    source_id bigint NOT NULL,
    message_id varchar(128) NOT NULL,
    PRIMARY KEY (profile_id, occurred_at, id)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX interaction_name_idx ON profiles_interaction (name, occurred_at, profile_id);
CREATE TABLE profiles_interaction_default PARTITION OF profiles_interaction DEFAULT;
"""


def make_first_partitions(apps: Any, schema_editor: Any) -> None:
    """Make the partitions that events of now, and of the usual look back, go to."""
    partitions.make_ahead()


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_initial")]

    operations = [
        migrations.RunSQL(
            RAW,
            "DROP TABLE IF EXISTS profiles_rawmessage; DROP SEQUENCE IF EXISTS profiles_raw_id_seq",
        ),
        migrations.RunSQL(
            INTERACTION,
            "DROP TABLE IF EXISTS profiles_interaction; DROP SEQUENCE IF EXISTS profiles_interaction_id_seq",
        ),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
    ]
