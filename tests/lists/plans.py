"""Which statements of a page read a large table without bound: by their plans, with every other way switched off.

The tables of a test are small, so the planner is told to avoid sequential scans and sorts: what then is left of them is
what no index can serve, however many rows there are. A scan is bounded when its index condition names a row or a
person (NARROW), or when a LIMIT stands over it with nothing in between that must see all rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

#: tables that grow with people and what they do; partitions count as their parent
LARGE = re.compile(
    r"profiles_(profile|identifier|identitylink|traitchange|interaction|rawmessage|seenmessage|rejectedmessage|"
    r"importrow|merge)(_.*)?$|consent_consent(record|state|evidence|chain)$|consent_suppression$|"
    r"segments_membership(change)?$|campaigns_delivery$|common_accesslog$"
)
#: a condition on one of these leaves a row, or what one person has
NARROW = (
    "id|uuid|profile_id|identifier_id|low_id|high_id|merged_into_id|winner_id|loser_id|link_id|raw_id|key|value|"
    "digest|address_digest|object_id|reference|record_id|line"
)
_NARROWED = re.compile(rf"\b(?:{NARROW})\)?(?:::text)? (?:=|[<>]=?) |ROW\(")
#: nodes that must see all rows of what is below them
_GREEDY = {"Aggregate", "Sort", "Hash", "HashAggregate", "WindowAgg", "SetOp", "Materialize"}


#: what is switched off; a statement is at fault when it is so under each of these
_MODES = (
    ("enable_seqscan",),
    ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"),
    ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort"),
)


def unbounded_reads(queries: CaptureQueriesContext, skip: re.Pattern[str]) -> list[str]:
    """Return what statements, but those that `skip` finds, read without bound: the reason and the statement."""
    found = []
    for sql in dict.fromkeys(query["sql"] for query in queries.captured_queries):
        reads = re.match(r"\s*(SELECT|WITH)\b", sql, re.IGNORECASE) and not re.search("nextval|FOR UPDATE", sql)
        if reads and not skip.search(sql):
            by_mode = [list(_faults(_plan(sql, mode), limited=False, greedy=[])) for mode in _MODES]
            if all(by_mode):
                shown = re.sub(r"SELECT .{200,}? FROM", "SELECT ... FROM", sql)[:800]
                found += [f"{reason}: {shown}" for reason in dict.fromkeys(by_mode[0])]
    return found


def _plan(sql: str, mode: tuple[str, ...]) -> dict[str, Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        for name in mode:
            cursor.execute(f"SET LOCAL {name} = off")
        cursor.execute("EXPLAIN (FORMAT JSON, COSTS OFF) " + sql)
        plan = cursor.fetchone()[0]
        for name in mode:
            cursor.execute(f"SET LOCAL {name} = on")
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found


def _faults(node: dict[str, Any], *, limited: bool, greedy: list[str]) -> Iterator[str]:
    kind = node["Node Type"]
    table = node.get("Relation Name", "")
    if kind == "Limit":
        limited, greedy = True, []
    elif kind in _GREEDY:
        greedy = [*greedy, kind]
    if table and LARGE.match(table):
        condition = str(node.get("Index Cond", ""))
        if condition:  # of two indexes that narrow, the planner takes the one that is better for these few rows
            condition += f" {node.get('Filter', '')}"
        if kind == "Seq Scan":
            yield f"reads all of {table}"
        elif not _NARROWED.search(condition):
            if greedy and not limited:
                yield f"{greedy[-1].lower()}s {table} without bound"
            elif greedy and limited:
                yield f"{greedy[-1].lower()}s {table} before its limit"
            elif not limited:
                yield f"reads {table} without limit"
    below = node.get("Plans", ())
    for child in below:
        relation = child.get("Parent Relationship")
        # The inner side of a nested loop is asked once a row of the outer side, which is bounded by itself.
        inner = relation == "Inner" and kind == "Nested Loop"
        yield from _faults(child, limited=limited or inner, greedy=[] if inner else greedy)
