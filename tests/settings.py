"""The settings of tests: the same as always, in a folder of their own, and quick where safety is not the point."""

from __future__ import annotations

import os
from pathlib import Path

# Before the real settings are read. Processes that a test starts inherit it.
os.environ["VAR_DIR"] = os.environ.get("VAR_DIR") or str(Path(__file__).resolve().parent.parent / "var" / "test")

from cdp.settings import *  # noqa: F403 - all of them
from cdp.settings import AXES_FAILURE_LIMIT, STORAGES, env

#: wake-ups go nowhere; a test that wants them sets CELERY_BROKER_URL for the processes that it starts
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "memory://")
#: one token asks for a whole test run; the tests of limits set their own
API_RATES = {"reads": 0, "writes": 0, "bulk": 0}
API_FAILURES_PER_MINUTE = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files straight from the source folders: no `collectstatic` before a test.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
AXES_FAILURE_LIMIT = max(AXES_FAILURE_LIMIT, 8)
