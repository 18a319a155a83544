"""The last answer to an error that nobody caught: the database is away for a moment, or something is broken."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views import defaults

from cdp.common.api_answers import is_api, refusal
from cdp.common.faults import Fault, fault_of

RETRY_SECONDS = 10


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 with the time to come again when the database is away, so that mail programs and people try again."""
    if not _database_is_away(sys.exc_info()[1]):
        if is_api(request):
            return refusal(500, "server_error", _("Something is broken here. It is in the log."))
        return defaults.server_error(request)
    response: HttpResponse
    if is_api(request):
        response = refusal(503, "database_away", _("The database is away; try again in a moment."))
    else:
        # Without the request: nothing on this page may ask the database.
        response = HttpResponse(render_to_string("503.html"), status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response


def _database_is_away(error: BaseException | None) -> bool:
    """Tell whether the error, or one that it came of, is the database's."""
    while error is not None:
        if fault_of(error) is Fault.SERVER:
            return True
        error = error.__cause__ or error.__context__
    return False
