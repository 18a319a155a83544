"""Whether the nightly run is at work: a line of the doctor and of the health page."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cdp.common.models import RetentionRun
from cdp.common.retention import retention

#: a night whose run has not ended by then is worth a look
LATE = timedelta(hours=30)


def retention_health() -> tuple[bool, str, str]:
    """Return whether the last nightly run ended, for every class, without a failure."""
    last = {run.name: run for run in RetentionRun.objects.order_by("name", "-night").distinct("name")}
    if not last:
        return True, _("not run yet"), ""
    now = timezone.now()
    newest = max(run.started_at for run in last.values())
    fix = _("Look at the page “How long data is kept”, and see that worker and beat run.")
    if now - newest > LATE:
        return (
            False,
            _("the last run began %(hours)s hours ago") % {"hours": int((now - newest).total_seconds() // 3600)},
            fix,
        )
    failed = [run for run in last.values() if run.problem or (run.finished_at is None and now - run.started_at > LATE)]
    if failed:
        names = ", ".join(str(retention.get(run.name).label) for run in failed if run.name in dict(retention.items()))
        return False, _("failed or not finished: %(names)s") % {"names": names}, fix
    removed = sum(run.removed for run in last.values())
    found = ngettext("%(rows)s row removed in the last run", "%(rows)s rows removed in the last run", removed)
    return True, found % {"rows": removed}, ""
