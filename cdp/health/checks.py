"""The checks of `manage.py doctor` and of the health page: the project's own, then those that apps registered."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.journal.upkeep import journal_health
from cdp.common.registry import health_checks
from cdp.health.heartbeats import BEAT, SKEW_ALLOWED, WORKER_PREFIX, clock_skew, heartbeat_ages, is_fresh

OLDEST_POSTGRES = 150000
SPACE_NEEDED = 2 * 1024**3

Outcome = tuple[bool, str, str]


@dataclass(frozen=True)
class Result:
    """One line: what was looked at, whether it is right, what was found, and how to fix it."""

    name: str
    label: str
    ok: bool
    critical: bool
    found: str
    fix: str

    def as_json(self) -> dict[str, Any]:
        """Return the line for `--json`."""
        return asdict(self)


def run_checks() -> list[Result]:
    """Run every check. One that breaks counts as failed; the others go on."""
    results = [_run(name, str(label), run, True) for name, label, run in OWN]
    results += [_run(name, str(check.label), check.run, check.critical) for name, check in health_checks.items()]
    return results


def _run(name: str, label: str, run: Callable[[], Outcome], critical: bool) -> Result:
    try:
        with transaction.atomic():
            ok, found, fix = run()
    except Exception as error:  # noqa: BLE001 - a check must never hide the others
        ok, found, fix = (
            False,
            f"{type(error).__name__}: {str(error).strip()[:300]}",
            _("Correct what the message names."),
        )
    return Result(name, label, ok, critical, found, "" if ok else fix)


def _one(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return row[0] if row else None


def _postgres_version() -> Outcome:
    number = int(_one("SHOW server_version_num"))
    return (
        number >= OLDEST_POSTGRES,
        f"PostgreSQL {_one('SHOW server_version')}",
        _("Use PostgreSQL 15 or newer."),
    )


def _durability() -> Outcome:
    names = ("fsync", "synchronous_commit", "full_page_writes")
    off = [name for name in names if _one(f"SHOW {name}") == "off"]
    found = ", ".join(_("%(name)s is off") % {"name": name} for name in off) or _("commits are on disk")
    return not off, found, _("Put them on: an accepted event may be lost by a power cut otherwise.")


def _migrations() -> Outcome:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return True, _("all applied"), ""
    found = _("%(count)s not applied, first %(name)s") % {"count": len(plan), "name": plan[0][0]}
    return False, found, _("Run: %(command)s") % {"command": "python manage.py migrate"}


def _disk() -> Outcome:
    free = shutil.disk_usage(settings.VAR_DIR).free
    found = _("%(size)s MB free") % {"size": number_format(free // 2**20, use_l10n=True, force_grouping=True)}
    return free >= SPACE_NEEDED, found, _("Free some space, or move VAR_DIR to a larger disk.")


def _worker() -> Outcome:
    """Every kind of work needs a worker: one kind without is work that waits for ever."""
    ages = {name.removeprefix(WORKER_PREFIX): age for name, age in heartbeat_ages().items() if name != BEAT}
    silent = [f"{name}: {_age(age)}" for name, age in ages.items() if not is_fresh(age)]
    found = "; ".join(silent) or _("all kinds at work: %(names)s") % {"names": ", ".join(ages)}
    return not silent, found, _("Start the workers: %(command)s") % {"command": "python manage.py work"}


def _beat() -> Outcome:
    age = heartbeat_ages()[BEAT]
    return is_fresh(age), _age(age), _("Start beat: %(command)s") % {"command": "python manage.py work beat"}


def _age(age: float | None) -> str:
    return _("never seen") if age is None else _("last sign %(seconds)s s ago") % {"seconds": round(age)}


def _secret_files() -> Outcome:
    folder = Path(settings.VAR_DIR)
    files = [folder / "credentials.json", *(folder / "secrets").glob("*")]
    open_ones = [file.name for file in files if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077]
    found = _("readable by their owner only")
    if open_ones:
        found = _("readable by others: %(names)s") % {"names": ", ".join(sorted(open_ones))}
    command = f"chmod 600 {folder}/credentials.json {folder}/secrets/*"
    return not open_ones, found, _("Run: %(command)s") % {"command": command}


def _clock() -> Outcome:
    skew = clock_skew()
    fix = _("Let both machines follow a time server (chrony, systemd-timesyncd).")
    found = _("%(seconds)s s apart") % {"seconds": number_format(skew, 2, use_l10n=True)}
    return abs(skew) <= SKEW_ALLOWED, found, fix


def _superuser() -> Outcome:
    if settings.LOCAL:
        return True, _("the embedded server's own user, behind a private socket"), ""
    is_super = bool(_one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    found = _("a superuser") if is_super else _("an ordinary role")
    return not is_super, found, _("Give Klantbeeld a role that owns its database and is no superuser.")


def _partitions() -> Outcome:
    """Partitions are made ahead; when nobody does, whoever writes first makes them, and events wait for that."""
    names = _one(
        "SELECT array_agg(name) FROM (VALUES"
        " ('profiles_interaction_y' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY\"m\"MM')),"
        " ('profiles_rawmessage_d' || to_char(now() AT TIME ZONE 'UTC' + interval '3 days', 'YYYYMMDD'))) AS n(name)"
        " WHERE NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(name) AND NOT inhdetachpending)"
    )
    found = _("missing: %(names)s") % {"names": ", ".join(names)} if names else _("made ahead")
    return not names, found, _("Let the worker run profiles.maintain_partitions, or call it in the admin's schedules.")


def _writable() -> Outcome:
    ok = os.access(settings.VAR_DIR, os.W_OK | os.X_OK)
    return ok, str(settings.VAR_DIR), _("Give the user of the processes the right to write in VAR_DIR.")


OWN: list[tuple[str, Promise, Callable[[], Outcome]]] = [
    ("postgres.version", gettext_lazy("PostgreSQL version"), _postgres_version),
    ("postgres.durability", gettext_lazy("Commits reach the disk"), _durability),
    ("postgres.role", gettext_lazy("Database role"), _superuser),
    ("postgres.clock", gettext_lazy("Clocks of application and database"), _clock),
    ("migrations", gettext_lazy("Migrations"), _migrations),
    ("partitions", gettext_lazy("Partitions of events"), _partitions),
    ("journal", gettext_lazy("Journal beside the database"), journal_health),
    ("disk", gettext_lazy("Disk space"), _disk),
    ("var_dir", gettext_lazy("VAR_DIR can be written"), _writable),
    ("secrets", gettext_lazy("Files with secrets"), _secret_files),
    ("worker", gettext_lazy("Workers"), _worker),
    ("beat", gettext_lazy("Beat"), _beat),
]
