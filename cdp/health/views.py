"""/healthz, /readyz and the health page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView

from cdp.common.guards import GuardedView
from cdp.health.checks import run_checks
from cdp.health.heartbeats import STALE_SECONDS, is_fresh
from cdp.health.state import database_answers, read_state

#: names of processes, as /readyz gives them -> what the page calls them
WORDS = {
    "worker:events": _("Worker for events"),
    "worker:segments": _("Worker for segments"),
    "worker:imports": _("Worker for imports"),
    "worker:sends": _("Worker for mails"),
    "worker:upkeep": _("Worker for upkeep (seals, retention, partitions)"),
    "beat": _("Beat (wakes the workers)"),
}


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when this process and the database work. To restart a process by, ask /livez (see cdp.asgi)."""
    ok = database_answers()
    return JsonResponse(
        {"status": "ok" if ok else "down", "down": [] if ok else ["database"]}, status=200 if ok else 503
    )


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when web, database, worker and beat all work; else 503 and which do not."""
    state = read_state()
    return JsonResponse(state.as_json(), status=503 if state.down else 200)


class HealthPage(GuardedView, TemplateView):
    """Show every check with its fix, the signs of life and the queues."""

    template_name = "health/health.html"
    permission_required = "common.view_heartbeat"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Read all of it afresh."""
        state = read_state()
        results = sorted(run_checks(), key=lambda result: (result.ok, not result.critical))
        signs = [
            {"name": WORDS.get(name, name), "age": age, "ok": is_fresh(age)} for name, age in state.heartbeats.items()
        ]
        failed = sum(not result.ok for result in results)
        return super().get_context_data(
            **kwargs,
            results=results,
            failed=failed,
            signs=signs,
            queues=state.queues,
            stale_seconds=int(STALE_SECONDS),
        )
