"""The data of the project itself: sessions, logs, the captured mail, and what the libraries keep."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from cdp.common.journal import upkeep
from cdp.common.models import ACCESS_LOG_DAYS
from cdp.common.retention import AgedRows, DataClass, KeptData, Position, Several, Step, Survey, kept_data, retention
from cdp.mailbox.store import MailStore

#: the built-in database's log is cut at this size
LOG_BYTES = 10 * 1024 * 1024


def _mailbox() -> MailStore:
    return MailStore(settings.VAR_DIR / "mailbox")


def remove_mail(before: datetime, limit: int, _position: Position) -> Step:
    """Delete the oldest captured mails past their time."""
    removed = _mailbox().remove_older(before, limit)
    return Step(removed, {} if removed == limit else None)


def survey_mail(before: datetime) -> Survey:
    """Count the captured mails past their time."""
    return Survey(*_mailbox().survey(before))


def _logs() -> tuple[Path, Path]:
    folder = Path(settings.VAR_DIR) / "postgres"
    return folder / "server.log", folder / "server.log.1"


def rotate_log(before: datetime, _limit: int, _position: Position) -> Step:
    """Cut the database's log when it is large, keep one older part, and delete that when its time is up."""
    log, older = _logs()
    removed = 0
    if older.exists() and _changed(older) < before:
        older.unlink()
        removed += 1
    if log.exists() and log.stat().st_size > LOG_BYTES:
        older.write_bytes(log.read_bytes())
        older.chmod(0o600)
        # Emptied, not replaced: the server goes on writing at the end of this file.
        with log.open("r+b") as file:
            file.truncate(0)
        removed += 1
    return Step(removed)


def survey_log(before: datetime) -> Survey:
    """Say since when the older part of the log is there."""
    _log, older = _logs()
    if not older.exists():
        return Survey(0, None)
    return Survey(int(_changed(older) < before), _changed(older))


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def register() -> None:
    """Say how long each kind of data is kept, and why the rest has no period."""
    _register_logs()
    _register_sessions()
    _register_answers()
    _register_queues()
    _register_files()
    _register_kept()


def _register_logs() -> None:
    access = AgedRows(table="common_accesslog", time="at")
    retention.add(
        "access_log",
        DataClass(
            group="privacy",
            label=_("Access log"),
            what=_("Who looked at whom, who exported, and who changed a setting."),
            remains=_("Nothing."),
            holds=("common_accesslog",),
            default_days=730,
            minimum_days=ACCESS_LOG_DAYS + 1,  # before that the database itself refuses
            remove=access.remove,
            survey=access.survey,
        ),
    )
    admin = AgedRows(table="django_admin_log", time="action_time", by_key=True)
    retention.add(
        "admin_log",
        DataClass(
            group="privacy",
            label=_("Changes on the system pages"),
            what=_("What staff changed on the system pages: users, roles, tokens, schedules."),
            remains=_("Nothing."),
            holds=("django_admin_log",),
            default_days=730,
            minimum_days=180,
            remove=admin.remove,
            survey=admin.survey,
        ),
    )
    logins = Several(
        tuple(
            AgedRows(table=f"axes_{name}", time="attempt_time", by_key=True)
            for name in ("accesslog", "accessattempt", "accessfailurelog")
        )
    )
    retention.add(
        "logins",
        DataClass(
            group="privacy",
            label=_("Log-ins"),
            what=_("Who logged in from which address, and attempts that failed."),
            remains=_("Nothing."),
            holds=("axes_*",),
            default_days=90,
            minimum_days=7,
            maximum_days=730,
            remove=logins.remove,
            survey=logins.survey,
        ),
    )
    runs = AgedRows(table="common_retentionrun", time="started_at", by_key=True)
    retention.add(
        "retention_runs",
        DataClass(
            group="system",
            label=_("Reports of this page"),
            what=_("What was removed in which night. No personal data."),
            remains=_("Nothing."),
            holds=("common_retentionrun",),
            default_days=800,
            minimum_days=90,
            remove=runs.remove,
            survey=runs.survey,
        ),
    )


def _register_sessions() -> None:
    sessions = AgedRows(table="django_session", time="expire_date", key="session_key")
    retention.add(
        "sessions",
        DataClass(
            group="system",
            label=_("Sessions that ended"),
            what=_("Log-ins that are over, after their last hour."),
            remains=_("Nothing."),
            holds=("django_session",),
            default_days=1,
            minimum_days=1,
            maximum_days=30,
            remove=sessions.remove,
            survey=sessions.survey,
        ),
    )


def _register_answers() -> None:
    answers = AgedRows(table="common_apianswer", time="created_at", key="name")
    retention.add(
        "api_answers",
        DataClass(
            group="system",
            label=_("Answers of the API"),
            what=_("What was answered to requests with an Idempotency-Key, to answer the same when they come again."),
            remains=_("Nothing: the same request has its effect again."),
            holds=("common_apianswer",),
            default_days=1,
            minimum_days=1,
            maximum_days=30,
            remove=answers.remove,
            survey=answers.survey,
        ),
    )


def _register_queues() -> None:
    dead = AgedRows(table="common_deadletter", time="last_tried_at", by_key=True)
    retention.add(
        "dead_letters",
        DataClass(
            group="system",
            label=_("Work that failed"),
            what=_("Work that could not be done, and why. It refers to what it is about, and holds no personal data."),
            remains=_("Nothing: it can no longer be tried again."),
            holds=("common_deadletter",),
            default_days=180,
            minimum_days=30,
            maximum_days=730,
            remove=dead.remove,
            survey=dead.survey,
        ),
    )
    kept_data.add(
        "queues",
        KeptData(
            group="system",
            label=_("Waiting work"),
            why=_("A queue: a row goes when its work is done."),
            holds=("common_queueitem",),
        ),
    )


def forget_journal(before: datetime, _limit: int, _position: Position) -> Step:
    """Forget of the journal what is older than any backup that would be put back."""
    return Step(upkeep.forget(before))


def survey_journal(before: datetime) -> Survey:
    """Say since when the journal tells."""
    first = upkeep.oldest()
    return Survey(int(first is not None and first < before), first)


def _register_files() -> None:
    retention.add(
        "journal",
        DataClass(
            group="system",
            label=_("Journal for restored backups"),
            what=_(
                "Erasures, refusals and who was mailed, as keyed digests beside the database: applied again when a "
                "backup is put back. Longer than the oldest backup that you would use."
            ),
            remains=_("Nothing: an older backup must not be put back any more."),
            holds=("var:journal",),
            default_days=400,
            minimum_days=30,
            atomic=False,
            remove=forget_journal,
            survey=survey_journal,
        ),
    )
    retention.add(
        "captured_mail",
        DataClass(
            group="system",
            label=_("Captured mail"),
            what=_("Mails that were not sent out but kept for you to look at, at most 20,000."),
            remains=_("Nothing."),
            holds=("var:mailbox",),
            default_days=30,
            minimum_days=1,
            maximum_days=365,
            remove=remove_mail,
            survey=survey_mail,
        ),
    )
    retention.add(
        "database_log",
        DataClass(
            group="system",
            label=_("Log of the built-in database"),
            what=_("What the database server wrote of itself; it is cut at 10 MB, and one older part is kept."),
            remains=_("Nothing."),
            holds=("var:postgres",),
            default_days=30,
            minimum_days=1,
            maximum_days=365,
            remove=rotate_log,
            survey=survey_log,
        ),
    )


def _register_kept() -> None:
    kept_data.add(
        "accounts",
        KeptData(
            group="system",
            label=_("Users, roles and tokens"),
            why=_("Settings: as long as they are used. The logs name them."),
            holds=(
                "auth_user", "auth_user_groups", "auth_user_user_permissions", "auth_group", "auth_group_permissions",
                "auth_permission", "common_account", "common_apitoken",
            ),
        ),
    )  # fmt: skip
    kept_data.add(
        "settings",
        KeptData(
            group="system",
            label=_("Settings"),
            why=_("Schedules, the periods of this page and the state of the database: a row each, overwritten."),
            holds=(
                "django_celery_beat_*", "common_retentionperiod", "common_heartbeat", "common_processlease",
                "common_installation", "django_migrations", "django_content_type",
            ),
        ),
    )  # fmt: skip
    kept_data.add(
        "journal_entries",
        KeptData(
            group="system",
            label=_("Entries on their way into the journal"),
            why=_("A queue: a row goes within seconds, when it is in the file. Keyed digests only."),
            holds=("common_journalentry",),
        ),
    )
    kept_data.add(
        "wakes",
        KeptData(
            group="system",
            label=_("Wake-ups of the worker"),
            why=_("A queue: a row goes when a worker has taken it. It holds names of tasks only."),
            holds=("pgmq.*",),
        ),
    )
    kept_data.add(
        "installation",
        KeptData(
            group="system",
            label=_("Files of the installation"),
            why=_("Keys, first log-ins, locks, signs of life and static files: a few, overwritten at each start."),
            holds=("var:secrets", "var:credentials.json", "var:static", "var:run", "var:*.lock"),
        ),
    )
