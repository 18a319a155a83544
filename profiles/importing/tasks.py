"""The queue of imports, and the upkeep of their rows."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.queues import Queue, register
from profiles.importing.jobs import ITEM_SECONDS, NAME, TASK
from profiles.importing.runner import measure, retry_import, work_imports

run_import = register(
    Queue(
        name=NAME,
        label=_("Imports"),
        task=TASK,
        item_seconds=ITEM_SECONDS,
        slots=2,
        every=5,
        late_seconds=1800,  # one may wait for two large files
        work=work_imports,
        measure=measure,
        retry=retry_import,
    )
)
