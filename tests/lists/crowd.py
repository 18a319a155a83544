"""Many rows of one moment in every table that is listed: the rows that there are, multiplied."""

from __future__ import annotations

from typing import Any

from django.db import connection

#: table -> columns that must differ from row to row, as SQL of `n`
DIFFERENT: dict[str, dict[str, str]] = {
    "profiles_profile": {"uuid": "gen_random_uuid()"},
    "profiles_interaction": {"id": "1000000 + n", "message_id": "'copy-' || n"},
    "profiles_source": {"slug": "'copy-' || n", "key_digest": "'digest-' || n"},
    "profiles_export": {"uuid": "gen_random_uuid()"},
    "profiles_import": {"uuid": "gen_random_uuid()"},
    "profiles_importrow": {"line": "100000 + n"},
    "profiles_rejectedmessage": {"uuid": "gen_random_uuid()"},
    "profiles_merge": {"link_id": "NULL"},
    "profiles_catalogueentry": {"uuid": "gen_random_uuid()", "scope": "'trait'", "event": "''", "path": "'copy-' || n"},
    "consent_consentrecord": {"uuid": "gen_random_uuid()", "identifier_id": "1000000 + n"},
    "consent_ledgerseal": {"prev_hash": "md5(n::text)"},
    "consent_ledgercheck": {},
    "consent_purposeversion": {"version": "1000 + n"},
    "consent_consentstate": {"profile_id": "1000000 + n"},
    "consent_suppression": {"uuid": "gen_random_uuid()", "digest": "md5(n::text)"},
    "consent_purpose": {"slug": "'copy-' || n"},
    "consent_consenttext": {"version": "1000 + n"},
    "consent_erasure": {"profile_id": "(SELECT id FROM profiles_profile ORDER BY id OFFSET n + 5 LIMIT 1)"},
    "segments_segment": {"slug": "'copy-' || t.kind || n", "name": "'Copy ' || t.kind || n"},
    "segments_membership": {"profile_id": "(SELECT id FROM profiles_profile ORDER BY id OFFSET n + 5 LIMIT 1)"},
    "segments_membershipchange": {"profile_id": "(SELECT id FROM profiles_profile ORDER BY id OFFSET n + 5 LIMIT 1)"},
    "campaigns_message": {"uuid": "gen_random_uuid()"},
    "campaigns_campaign": {"uuid": "gen_random_uuid()"},
    "campaigns_delivery": {"profile_id": "1000000 + n", "uuid": "gen_random_uuid()"},
    "common_accesslog": {},
    "common_deadletter": {"key": "'copy-' || n"},
    "common_apitoken": {"digest": "md5(n::text)", "uuid": "gen_random_uuid()"},
    "auth_user": {"username": "'copy-' || n"},
    "auth_group": {"name": "'copy-' || n"},
    "axes_accessattempt": {"username": "'copy-' || n"},
    "axes_accesslog": {},
    "axes_accessfailurelog": {},
    "django_celery_beat_periodictask": {"name": "'copy-' || n"},
    "django_celery_beat_crontabschedule": {},
    "django_celery_beat_intervalschedule": {},
    "django_celery_beat_clockedschedule": {},
    "django_celery_beat_solarschedule": {"latitude": "n / 100.0"},
}
_LISTS = "(SELECT id FROM segments_segment WHERE kind = 'static')"
#: table -> conditions, of each of which a row is copied, where several lists show parts of one table
PARTS: dict[str, tuple[str, ...]] = {
    "segments_segment": ("kind = 'rule'", "kind = 'static'"),
    "campaigns_campaign": ("kind <> 'single'",),  # of those there is one for a message and purpose
    "segments_membership": (f"segment_id IN {_LISTS}", f"segment_id NOT IN {_LISTS}"),
}
#: table -> what others change meanwhile; with the columns by which pages may be sorted left out
CHANGED: dict[str, str] = {
    "profiles_profile": "traits = traits || '{\"touched\": true}'",
    "profiles_source": "warning = 'x'",
    "profiles_import": "rows_done = rows_done + 1",
    "profiles_importrow": "reason = 'x'",
    "profiles_rejectedmessage": "code = 'x'",
    "profiles_merge": "cause = 'x'",
    "consent_suppression": "note = 'x'",
    "consent_purpose": "description = 'x'",
    "segments_segment": "member_count = member_count + 1, refreshed_at = now()",
    "segments_membership": "since = now()",
    "campaigns_campaign": "trouble_count = 1",
    "campaigns_delivery": "attempts = 1, smtp_reply = 'x'",
}
#: the same for lists of programs, which are sorted by what never changes
MOVED: dict[str, str] = {
    "profiles_profile": "last_seen_at = now(), display_name = 'x' || id",
    "campaigns_campaign": "changed_at = now(), name = 'x' || id",
    "campaigns_message": "changed_at = now(), name = 'x' || id",
    "profiles_import": "name = 'x' || id",
    "segments_segment": "name = 'x' || id",
}


def columns_of(table: str, run: Any) -> list[tuple[str, str]]:
    """Return (name, type) of the columns that a copy of a row gets from it."""
    run.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
        "AND is_generated = 'NEVER' AND (is_identity = 'NO' OR column_name <> 'id') ORDER BY ordinal_position",
        [table],
    )
    return list(run.fetchall())


def multiply(table: str, count: int, *, start: int = 1, run: Any = None) -> None:
    """Copy the table's first row `count` times, all of one moment; `run` is a cursor of another connection."""
    if run is None:
        with connection.cursor() as cursor:
            multiply(table, count, start=start, run=cursor)
            return
    different = DIFFERENT[table]
    names, values = [], []
    for name, kind in columns_of(table, run):
        names.append(f'"{name}"')
        time = kind.startswith("timestamp") and f'CASE WHEN t."{name}" IS NULL THEN NULL ELSE s.moment END'
        values.append(different.get(name) or time or f't."{name}"')
    for part in PARTS.get(table, ("true",)):
        run.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM (SELECT * FROM {table} "
            f"WHERE {part} LIMIT 1) t CROSS JOIN (SELECT date_trunc('minute', now()) AS moment) s "
            f"CROSS JOIN generate_series({start}, {start + count - 1}) n"
        )
