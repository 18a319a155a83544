"""The queues of segments."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.queues import Queue, register
from segments import list_jobs, refreshing, sweeping, touched
from segments.membership import REFRESH
from segments.services.lists import JOBS

process_touched = register(
    Queue(
        name=touched.NAME,
        label=_("People to look at for segments"),
        task="segments.process_touched",
        item_seconds=60,
        work=touched.work_touched,
        measure=touched.TOUCHED.measure,
        retry=touched.retry_person,
    )
)
refresh = register(
    Queue(
        name=REFRESH,
        label=_("Segments to count anew"),
        task="segments.refresh",
        item_seconds=300,
        slots=2,
        every=10,
        late_seconds=1800,
        work=refreshing.work_refreshes,
        measure=refreshing.measure,
    )
)
sweep = register(
    Queue(
        name="segments_sweep",
        label=_("Segments whose windows move"),
        task="segments.sweep",
        item_seconds=40,
        every=30,
        work=sweeping.work_sweep,
        measure=sweeping.measure,
    )
)
lists = register(
    Queue(
        name=JOBS,
        label=_("People on their way into a list"),
        task="segments.work_lists",
        item_seconds=120,
        slots=2,
        every=10,
        late_seconds=1800,
        work=list_jobs.work_lists,
        measure=list_jobs.measure,
        retry=list_jobs.retry_job,
    )
)
