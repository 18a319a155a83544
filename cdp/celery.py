"""The Celery application. It only wakes drains; PostgreSQL is the queue of record."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cdp.settings")

from cdp.broker import channel

channel.register()
app = Celery("cdp", task_cls="cdp.common.queues:SingleTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Each app imports its own `tasks` when Django has loaded it; this finds those of the project.
app.autodiscover_tasks(["cdp"])
# By name: they need models, which are not loaded yet.
app.steps["worker"].add("cdp.processes.worker_steps:WatchStep")
app.steps["consumer"].add("cdp.processes.worker_steps:LoopStep")
