"""The staging table of a job: unlogged, filled by COPY, dropped after the dry run.

It holds nothing that the file does not: after a crash it is empty or gone, and the dry run begins again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from psycopg import sql

from cdp.common.copying import copy_json, copy_text
from cdp.common.reasons import Params

#: line, outcome, reason, its parameters, original cells, checked data, identifiers in the order of the checker's kinds
StageRow = tuple[int, str, str, Params | None, Sequence[str] | None, dict[str, Any] | None]


def stage_table(import_id: int) -> sql.Identifier:
    """Return the name of the job's staging table."""
    return sql.Identifier(f"profiles_importstage_{int(import_id)}")


def create_stage(import_id: int, key_count: int) -> None:
    """Make the table anew, with a column k0, k1, ... for each identifier of a row."""
    drop_stage(import_id)
    keys = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(f"k{n}")) for n in range(key_count))
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "CREATE UNLOGGED TABLE {} (line bigint NOT NULL, outcome text NOT NULL, reason text NOT NULL, "
                "params jsonb, cells jsonb, data jsonb, {}) WITH (autovacuum_enabled = off)"
            ).format(stage_table(import_id), keys)
        )


def drop_stage(import_id: int) -> None:
    """Remove the table, if it is there."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(stage_table(import_id)))


def _copy_line(row: StageRow, kinds: Sequence[str]) -> str:
    line, outcome, reason, params, cells, data = row
    found = dict(data["i"]) if data else {}
    keys = "\t".join(copy_text(found[kind]) if kind in found else "\\N" for kind in kinds)
    return f"{line}\t{outcome}\t{reason}\t{copy_json(params)}\t{copy_json(cells)}\t{copy_json(data)}\t{keys}\n"


def fill_stage(import_id: int, rows: Iterable[StageRow], kinds: Sequence[str]) -> None:
    """Append a block of rows by one COPY."""
    with connection.cursor() as cursor:
        statement = sql.SQL("COPY {} FROM STDIN").format(stage_table(import_id))
        with cursor.copy(statement) as copy:
            copy.write("".join(_copy_line(row, kinds) for row in rows))
