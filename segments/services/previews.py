"""Look before saving: counts per node, a sample, whom one could mail, and who would come and go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from consent.gate import decisions_sql
from consent.models import Purpose
from profiles.identity.alive import last_seen
from profiles.models import Profile
from segments.catalog_loader import moment_now
from segments.models import Segment
from segments.rules.catalog import Catalog
from segments.rules.nodes import Moment, Rule
from segments.rules.sql import counts_sql, members_sql, work_memory

PREVIEW_TIMEOUT = "5s"
#: of one join of a preview, and of all of them together
MOST_MB, TOGETHER_MB = 64, 192
#: previews take turns: one for each user, two in all
TURN = "rule"
#: people looked at for an estimate
SAMPLE = 2_000
SHOWN = 5
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Counts:
    """How many people meet each node; an estimate when the exact count is not there yet."""

    base: int
    total: int
    nodes: dict[str, int] = field(default_factory=dict)
    exact: bool = True


@dataclass(frozen=True)
class Difference:
    """What saving would do to the members."""

    enter: int
    leave: int
    stay: int


def positional(sql: str, params: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return the statement with positional placeholders, for use inside another that has those."""
    values: list[Any] = []

    def put(match: re.Match[str]) -> str:
        values.append(params[match[1]])
        return "%s"

    return _PLACEHOLDER.sub(put, sql), values


def count_nodes(rule: Rule, catalog: Catalog, moment: Moment | None = None) -> Counts:
    """Count every node exactly in one pass; an estimate by sample when that takes too long."""
    sql, params, names = counts_sql(rule, catalog, moment or moment_now())
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _limits(cursor, sql)
            cursor.execute(sql, params)
            counted = dict(zip(names, cursor.fetchone(), strict=True))
    except OperationalError:
        return estimate_nodes(rule, catalog, moment)
    return Counts(counted.pop("base"), counted.pop("total"), counted)


def estimate_nodes(rule: Rule, catalog: Catalog, moment: Moment | None = None) -> Counts:
    """Estimate every node from a sample of people; exact when the base is no larger than the sample."""
    try:
        return _estimate(rule, catalog, moment or moment_now())
    except OperationalError:
        raise CdpError("segment.too_slow", _("This took too long; make the rule simpler."), status=503) from None


def _estimate(rule: Rule, catalog: Catalog, moment: Moment) -> Counts:
    with transaction.atomic(), connection.cursor() as cursor:
        _limits(cursor, "")
        cursor.execute("SELECT greatest(reltuples, 0) FROM pg_class WHERE relname = 'profiles_profile'")
        size = int((cursor.fetchone() or [0])[0])
        if size <= SAMPLE:
            cursor.execute("SELECT id FROM profiles_profile LIMIT %s", [SAMPLE + 1])
        else:
            share = min(100.0, 100 * 2.0 * SAMPLE / size)
            cursor.execute(f"SELECT id FROM profiles_profile TABLESAMPLE SYSTEM ({share:.6f}) LIMIT {SAMPLE}")
        ids = [row[0] for row in cursor.fetchall()]
        whole = size <= SAMPLE and len(ids) <= SAMPLE
        sql, params, names = counts_sql(rule, catalog, moment, ids=ids)
        _limits(cursor, sql)
        cursor.execute(sql, params)
        counted = dict(zip(names, cursor.fetchone(), strict=True))
    scale = 1.0 if whole or not ids else max(1.0, size / len(ids))
    counted = {name: round(value * scale) for name, value in counted.items()}
    return Counts(counted.pop("base"), counted.pop("total"), counted, exact=whole)


def sample_people(rule: Rule, catalog: Catalog, moment: Moment | None = None, *, size: int = SHOWN) -> list[Profile]:
    """Return a few people that meet the rule, those seen last first."""
    sql, params = members_sql(rule, catalog, moment or moment_now())
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _limits(cursor, sql)
            cursor.execute(f"{sql}\nORDER BY {last_seen('p')} DESC, p.id DESC LIMIT {int(size)}", params)
            ids = [row[0] for row in cursor.fetchall()]
    except OperationalError:
        return []
    found = Profile.objects.defer("traits", "origins", "search_text").in_bulk(ids)
    return [found[key] for key in ids if key in found]


def mailable(rule: Rule, catalog: Catalog, purpose: Purpose, moment: Moment | None = None) -> dict[str, int] | None:
    """Count, by reason, whom a mail for this purpose could reach ('' is allowed); None when it takes too long."""
    sql, params = members_sql(rule, catalog, moment or moment_now())
    inner, values = positional(sql.replace("SELECT p.id\n", "SELECT p.id AS profile_id\n", 1), params)
    text, all_values = decisions_sql(purpose_id=purpose.pk, channel="email", audience_sql=inner, params=values)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _limits(cursor, sql)
            cursor.execute(f"SELECT d.reason, count(*) FROM ({text}) d GROUP BY d.reason", all_values)
            return dict(cursor.fetchall())
    except OperationalError:
        return None


def compare_with_saved(segment: Segment, rule: Rule, catalog: Catalog, moment: Moment | None = None) -> Difference:
    """Count who would come in, go out and stay if the rule were saved now."""
    sql, params = members_sql(rule, catalog, moment or moment_now())
    params["segment"] = segment.pk
    text = (
        f"WITH t AS ({sql}), m AS (SELECT profile_id FROM segments_membership WHERE segment_id = %(segment)s) "
        "SELECT count(*) FILTER (WHERE m.profile_id IS NULL), count(*) FILTER (WHERE t.id IS NULL), "
        "count(*) FILTER (WHERE t.id = m.profile_id) FROM t FULL JOIN m ON m.profile_id = t.id"
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _limits(cursor, sql)
            cursor.execute(text, params)
            return Difference(*cursor.fetchone())
    except OperationalError:
        raise CdpError("segment.too_slow", _("The comparison took too long; try again later."), status=503) from None


def _limits(cursor: Any, sql: str) -> None:
    # Compiling a query of a hundred joins took longer, and more memory, than running it.
    cursor.execute(
        "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true), "
        "set_config('hash_mem_multiplier', '1', true), set_config('jit', 'off', true)",
        [PREVIEW_TIMEOUT, work_memory(sql, most=MOST_MB, together=TOGETHER_MB)],
    )
