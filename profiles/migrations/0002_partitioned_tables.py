"""The tables that only grow, cut by time, and the sequence that the collector takes raw ids from in blocks.

They have no default partition: while one exists, a new partition locks and reads it, and none can be detached
concurrently. Whoever writes first sees to it that the partition is there (see profiles.partitions).
"""

from __future__ import annotations

from django.db import migrations

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
"""

# Whom a body names, as digests of eight bytes: an erasure finds the bodies by them. Nobody asks but by digest, and a
# second entry of the same name does no harm, so there is no key.
NAMES = """
CREATE TABLE profiles_rawidentifier (
    received_at timestamptz NOT NULL,
    raw_id bigint NOT NULL,
    digest bigint NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX rawidentifier_digest_idx ON profiles_rawidentifier (digest);
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
CREATE INDEX interaction_recent_idx ON profiles_interaction (occurred_at, id);
-- What is older than this goes to one table: a wrong clock may not make thousands of them.
CREATE TABLE profiles_interaction_before PARTITION OF profiles_interaction
    FOR VALUES FROM (MINVALUE) TO ('2016-01-01 00:00:00+00');
"""

# Made standalone and then attached: that takes a lock on the parent which neither readers nor writers wait for, where
# CREATE TABLE ... PARTITION OF would shut everybody out. A name that a detached table still bears is freed first.
MAKE_PARTITION = """
CREATE FUNCTION profiles_make_partition(parent text, name text, low date, high date) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    pending boolean;
BEGIN
    -- Before anything else of the parent is locked: whoever detaches a partition waits for all who hold a lock on it.
    EXECUTE format('LOCK TABLE ONLY %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(name) IS NOT NULL THEN
        SELECT inhdetachpending INTO pending FROM pg_inherits WHERE inhrelid = to_regclass(name);
        IF NOT FOUND THEN
            EXECUTE format('ALTER TABLE %I RENAME TO %I', name, name || '_gone_' || to_regclass(name)::oid);
        ELSIF pending THEN
            RAISE EXCEPTION 'partition % is being detached', name USING ERRCODE = 'object_in_use';
        ELSE
            RETURN false;
        END IF;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
                   low || ' 00:00:00+00', high || ' 00:00:00+00');
    RETURN true;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_initial")]

    operations = [
        migrations.RunSQL(
            RAW,
            "DROP TABLE IF EXISTS profiles_rawmessage; DROP SEQUENCE IF EXISTS profiles_raw_id_seq",
        ),
        migrations.RunSQL(NAMES, "DROP TABLE IF EXISTS profiles_rawidentifier"),
        migrations.RunSQL(
            INTERACTION,
            "DROP TABLE IF EXISTS profiles_interaction; DROP SEQUENCE IF EXISTS profiles_interaction_id_seq",
        ),
        migrations.RunSQL(MAKE_PARTITION, "DROP FUNCTION IF EXISTS profiles_make_partition"),
    ]
