"""The import wizard: file, mapping, dry run, commit, result; and the list of imports."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from cdp.common.access import record_access, record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.keyset import Order
from cdp.common.lists import Column, ListPage, page_asked
from cdp.common.masking import reader_of
from profiles.filters import ImportFilters, ImportRowFilters
from profiles.importing import services as service
from profiles.importing.rejected import left_out_csv, rejected_csv
from profiles.models import Import, ImportRow
from profiles.models.imports import ImportState, Outcome
from profiles.querysets.imports import rejected_rows, rows_with_left_out, with_people
from profiles.views import import_forms, import_pages

WORKING = (ImportState.CHECKING, ImportState.RUNNING, ImportState.UNDOING)


class ImportList(ListPage):
    """The imports, newest first."""

    permission_required = "profiles.view_import"
    template_name = "profiles/imports.html"
    filters = ImportFilters
    columns = (
        Column(name="name", label=gettext_lazy("File"), sort="name"),
        Column(name="state", label=gettext_lazy("State"), sort="state"),
        Column(name="rows", label=gettext_lazy("Rows"), sort="rows_total", numeric=True, descending_first=True),
        Column(name="outcome", label=gettext_lazy("Outcome")),
        Column(name="by", label=gettext_lazy("By")),
        Column(name="created", label=gettext_lazy("When"), sort="created_at", descending_first=True),
    )
    default_sort = "-created"
    empty = (
        gettext_lazy("No imports yet"),
        gettext_lazy(
            "An import brings people in from a file of contacts. You see what it would do before anything is written, "
            "and you can undo it afterwards."
        ),
        "profiles:import_new",
        gettext_lazy("Import contacts"),
    )

    def get_queryset(self) -> QuerySet[Import]:
        """Return all imports with who made them."""
        return Import.objects.select_related("created_by")


class _Cap(FileUploadHandler):
    """Stop reading an upload that grows past the limit, so that it fills no disk."""

    exceeded = False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the data on until there is too much."""
        if start + len(raw_data) > settings.IMPORT_MAX_BYTES:
            self.exceeded = True
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""
        return


def _too_large() -> CdpError:
    return CdpError(
        "import.file_too_large",
        _("The file is larger than %(mb)s MB, the most this installation takes. Split it, or upload it as .csv.gz.")
        % {"mb": settings.IMPORT_MAX_BYTES // 1024 // 1024},
        status=413,
    )


@csrf_exempt  # the inner view checks the token; reading it here would read the file before it is capped
@require_http_methods(["GET", "POST"])
def import_new(request: HttpRequest) -> HttpResponse:
    """Step 1: choose a file."""
    cap = _Cap(request)
    request.upload_handlers.insert(0, cap)
    return _import_new(request, cap)


@needs("profiles.add_import")
@csrf_protect
def _import_new(request: HttpRequest, cap: _Cap) -> HttpResponse:
    context: dict[str, Any] = {"max_mb": settings.IMPORT_MAX_BYTES // 1024 // 1024, "step": 1}
    if request.method == "POST":
        try:
            declared = int(request.META.get("CONTENT_LENGTH") or 0)
            if declared > settings.IMPORT_MAX_BYTES + 1024 * 1024:
                raise _too_large()
            upload = request.FILES.get("file")
            if cap.exceeded:
                raise _too_large()
            if upload is None:
                raise CdpError("import.no_file", _("Choose a file first."), place="file")
            job = service.receive_file(upload=upload, name=upload.name or "", actor=request.user)
        except RequestDataTooBig:
            context["error"] = _too_large()
        except CdpError as error:
            context["error"] = error
        else:
            return redirect("profiles:import", job.pk)
        return render(request, "profiles/import_new.html", context, status=context["error"].status)
    return render(request, "profiles/import_new.html", context)


def _job(import_id: int) -> Import:
    return get_object_or_404(Import.objects.select_related("created_by", "confirmed_by"), pk=import_id)


@require_GET
@needs("profiles.view_import")
def import_detail(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show the step that the import is at."""
    job = _job(import_id)
    if job.state == ImportState.UPLOADED:
        return redirect("profiles:import_map", job.pk)
    context = import_pages.result_context(job) | {"people_actions": import_pages.actions_for(job, request.user)}
    template = "import_check" if job.state == ImportState.READY else "import_result"
    if job.state in (*WORKING, ImportState.PAUSED):
        template = "import_progress"
    return render(request, f"profiles/{template}.html", context)


@require_GET
@needs("profiles.view_import")
def import_progress(request: HttpRequest, import_id: int) -> HttpResponse:
    """Give the moving part of the progress page; ask for the whole page when the step is over."""
    job = _job(import_id)
    response = render(request, "profiles/import_progress_part.html", import_pages.result_context(job))
    if job.state not in WORKING:
        response["HX-Refresh"] = "true"
    return response


@require_http_methods(["GET", "POST"])
@needs("profiles.add_import", "profiles.view_pii")
def import_map(request: HttpRequest, import_id: int) -> HttpResponse:
    """Step 1 (how the file is read) and 2 (which column goes where)."""
    job = _job(import_id)
    error: CdpError | None = None
    posted: dict[str, Any] | None = None
    if request.method == "POST":
        try:
            if "reading" in request.POST:
                service.set_reading(
                    import_id=job.pk,
                    encoding=request.POST.get("encoding", ""),
                    delimiter=request.POST.get("delimiter", ""),
                )
                return redirect("profiles:import_map", job.pk)
            posted = import_forms.read_mapping(request.POST, job.header)
            service.start_check(import_id=job.pk, mapping=posted, proof=import_forms.read_proof(request.POST))
            return redirect("profiles:import", job.pk)
        except CdpError as refused:
            error = refused
            job = _job(import_id)
    if not job.file or job.state not in (ImportState.UPLOADED, ImportState.READY, ImportState.FAILED) or job.done_line:
        return redirect("profiles:import", job.pk)
    try:
        context = import_pages.map_context(job, posted, import_forms.read_proof(request.POST) if posted else job.proof)
    except CdpError as unreadable:
        context, error = {"job": job, "unreadable": True, "step": 2}, unreadable
    context["error"] = error
    return render(request, "profiles/import_map.html", context, status=error.status if error else 200)


@require_GET
@needs("profiles.view_import")
def import_rows(request: HttpRequest, import_id: int) -> HttpResponse:
    """List the rows behind a number."""
    job = _job(import_id)
    filters = ImportRowFilters(request.GET, request=request)
    chosen = {name: str(filters.chosen().get(name, "")) for name in ("outcome", "reason", "changed", "left_out")}
    order = Order.of(ImportRow, "line", key=["line"])
    page, lost = page_asked(request, filters.narrow(ImportRow.objects.filter(import_id=job.pk)), order)
    rows = with_people(page.rows)
    record_look(
        request, "import.rows_viewed", [getattr(row, "profile", None) for row in rows],
        object_kind="import", object_id=str(job.uuid), even_nobody=True,
    )  # fmt: skip
    context = {
        "job": job,
        "rows": [import_pages.shown_row(row, reader_of(request)) for row in rows],
        "page": page,
        "lost": lost,
        "chosen": chosen,
        "title": reader_of(request).text(import_pages.rows_title(chosen)),
        "outcomes": Outcome.choices,
    }
    return render(request, "profiles/import_rows.html", context, status=400 if lost else 200)


@require_GET
@needs("profiles.view_import", "profiles.view_pii")
def import_rejected(request: HttpRequest, import_id: int) -> HttpResponse | StreamingHttpResponse:
    """Download the rejected rows with their reasons."""
    job = _job(import_id)
    record_access(request=request, action="import.rejected_exported", object_kind="import", object_id=str(job.uuid))
    response = StreamingHttpResponse(rejected_csv(job, rejected_rows(job)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{job.pk}-rejected.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_GET
@needs("profiles.view_import", "profiles.view_pii")
def import_left_out(request: HttpRequest, import_id: int) -> HttpResponse | StreamingHttpResponse:
    """Download which cells the rows came in without, and why."""
    job = _job(import_id)
    record_access(request=request, action="import.left_out_exported", object_kind="import", object_id=str(job.pk))
    lines = left_out_csv(job, rows_with_left_out(job))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{job.pk}-left-out.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


_ACTIONS = {
    "confirm": lambda job, user: service.confirm_import(import_id=job, actor=user),
    "pause": lambda job, user: service.pause_import(import_id=job),
    "resume": lambda job, user: service.resume_import(import_id=job),
    "cancel": lambda job, user: service.cancel_import(import_id=job),
    "undo": lambda job, user: service.start_undo(import_id=job, actor=user),
}


@require_POST
@needs("profiles.change_import")
def import_act(request: HttpRequest, import_id: int, action: str) -> HttpResponse:
    """Confirm, pause, resume, cancel or undo."""
    if action not in _ACTIONS:
        raise Http404
    try:
        if action == "undo" and request.POST.get("confirm", "").strip() != import_pages.UNDO_WORD:
            raise CdpError("import.not_confirmed", _("Type the word to undo the import."))
        _ACTIONS[action](import_id, request.user)
        if action in ("confirm", "undo"):
            record_access(request=request, action=f"import.{action}", object_kind="import", object_id=str(import_id))
    except CdpError as error:
        messages.error(request, error.message)
        if error.status == 404:
            return redirect("profiles:imports")
    return redirect(f"{reverse('profiles:import', args=[import_id])}?at={int(timezone.now().timestamp())}")


urlpatterns = [
    path("imports/", ImportList.as_view(), name="imports"),
    path("imports/new/", import_new, name="import_new"),
    path("imports/<int:import_id>/", import_detail, name="import"),
    path("imports/<int:import_id>/map/", import_map, name="import_map"),
    path("imports/<int:import_id>/progress/", import_progress, name="import_progress"),
    path("imports/<int:import_id>/rows/", import_rows, name="import_rows"),
    path("imports/<int:import_id>/rejected.csv", import_rejected, name="import_rejected"),
    path("imports/<int:import_id>/left-out.csv", import_left_out, name="import_left_out"),
    path("imports/<int:import_id>/<slug:action>/", import_act, name="import_act"),
]
