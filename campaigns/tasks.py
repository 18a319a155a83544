"""The queues of campaigns: their starts, and their messages."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from campaigns.sending import drain, isolation, starting
from cdp.common.queues import Queue, register

start_due = register(
    Queue(
        name=starting.NAME,
        label=_("Campaigns to start"),
        task="campaigns.start_due",
        item_seconds=starting.ITEM_SECONDS,
        every=3,
        late_seconds=1800,  # one may wait for a large audience
        work=starting.work_starts,
        measure=starting.measure,
        retry=starting.retry_start,
    )
)
drain_sends = register(
    Queue(
        name=drain.NAME,
        label=_("Mails to send"),
        task="campaigns.drain_sends",
        item_seconds=120,
        slots=2,
        every=3,
        work=drain.work_sends,
        measure=drain.measure,
        retry=isolation.retry_send,
    )
)
