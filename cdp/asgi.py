"""The web process: one ASGI application on one port, put together here from the parts in cdp/web and the collector.

Django runs as WSGI in pools of threads: its views are synchronous, and under ASGI they were several times slower.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cdp.settings")

from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from cdp.celery import app as celery_app
from cdp.start_checks import troubles_at_start
from cdp.wsgi import application as django_application
from profiles.collector.app import Collector
from profiles.collector.config import CollectorConfig

from cdp.web.application import WebApplication  # isort: skip - Django is set up by cdp.wsgi


def collector_dsn() -> str:
    """Return Django's database as a libpq connection string, without the limits that are meant for pages."""
    database = connection.settings_dict
    parts = {
        "host": database["HOST"],
        "port": database["PORT"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "dbname": database["NAME"],
    }
    return make_conninfo("", **{name: str(value) for name, value in parts.items() if value})


def wake_processor() -> None:
    """Send the processor's task; when that fails, beat sends the next within seconds."""
    celery_app.send_task("profiles.process_inbox", ignore_result=True, retry=False)


def collector_config() -> CollectorConfig:
    """Return the collector's settings, as Django's say."""
    return CollectorConfig(
        dsn=collector_dsn(),
        site_url=settings.SITE_URL,
        allowed_hosts=tuple(settings.ALLOWED_HOSTS),
        truncate_ip=settings.TRUNCATE_IP,
        events_per_second=settings.COLLECT_EVENTS_PER_SECOND,
        watched_dir=settings.VAR_DIR if settings.LOCAL else None,
        min_free_bytes=settings.COLLECT_MIN_FREE_MB * 1024 * 1024,
        bundle_dir=settings.BASE_DIR / "static" / "vendor" / "analytics-next",
        wake=wake_processor,
    )


def _troubles() -> list[str]:
    try:
        return troubles_at_start()
    finally:
        connection.close()


application = WebApplication(
    collector=Collector(collector_config()),
    django=django_application,
    var_dir=settings.VAR_DIR,
    trust_proxy=settings.TRUST_PROXY,
    troubles=_troubles,
)
