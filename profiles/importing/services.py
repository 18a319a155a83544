"""The life of an import: taken in, mapped, checked, confirmed, stopped, undone. Workers do the long steps."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import IO, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.queue_items import is_held
from cdp.common.wake import wake
from profiles.importing.decoding import ENCODINGS, as_read, telling_bytes
from profiles.importing.headers import fingerprint
from profiles.importing.jobs import NAME, TASK, hand_to_worker
from profiles.importing.mapping import guess_mapping, parse_mapping
from profiles.importing.preview import Preview, read_preview
from profiles.importing.storing import delete_file, store_upload
from profiles.importing.targets import all_targets
from profiles.models import IdentifierKind, Import, ImportRow, Source
from profiles.models.imports import ImportState
from profiles.models.source import SourceKind

#: kinds that no file may bring: a browser makes them, and they stand for a device
_DEVICE_KINDS = ("anonymous_id",)
_HEAD = 256 * 1024  # bytes looked at for letters that encodings disagree about
_PROOF_FIELDS = ("source", "obtained_on", "wording")


def _locked(import_id: int, allowed: Collection[str], what: str) -> Import:
    """Return the import, locked; raise CdpError when it is not in one of the allowed states."""
    job = Import.objects.select_for_update(of=("self",)).filter(pk=import_id).first()
    if job is None:
        raise CdpError("import.unknown", _("There is no such import."), status=404)
    if job.state not in allowed:
        raise CdpError(
            "import.wrong_state",
            _("This import is “%(state)s”; it cannot be %(what)s now.")
            % {"state": job.get_state_display(), "what": what},
            status=409,
        )
    return job


def import_source() -> Source:
    """Return the source that stands for contact files; it is made on first use."""
    source, _made = Source.objects.get_or_create(
        slug="import", defaults={"name": "File imports", "kind": SourceKind.IMPORT}
    )
    return source


def usable_kinds() -> dict[str, str]:
    """Return the kinds of identifier that a file may hold, strongest first: {name: label}."""
    kinds = IdentifierKind.objects.exclude(name__in=_DEVICE_KINDS).order_by("priority", "name")
    return {kind.name: kind.words for kind in kinds}


def receive_file(*, upload: IO[bytes], name: str, actor: Any) -> Import:
    """Store an uploaded contact file and start an import with it; nothing is kept of a file that cannot be read."""
    stored = store_upload(upload)
    try:
        with transaction.atomic():
            job = Import(
                name=name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1][:200] or "contacts.csv",
                file=stored.name,
                file_digest=stored.digest,
                size=stored.size,
                encoding=stored.encoding,
                source=import_source(),
                created_by=actor,
            )
            _read_head(job, stored.encoding, "")
            job.save()
    except CdpError:
        delete_file(stored.name)
        raise
    return job


def look_at(job: Import) -> Preview:
    """Return the head of the import's file."""
    with job.file.open("rb") as raw:
        return read_preview(raw, job.encoding, job.delimiter)


def encoding_choices(job: Import) -> list[tuple[str, str]]:
    """Return the encodings, each with how it reads the first word of the file that they do not agree about."""
    with job.file.open("rb") as raw:
        sample = telling_bytes(raw.read(_HEAD))
    words = {encoding: as_read(sample, encoding) for encoding in ENCODINGS}
    return [
        (encoding, f"{label}: {words[encoding]}" if words[encoding] else label) for encoding, label in ENCODINGS.items()
    ]


def _read_head(job: Import, encoding: str, delimiter: str) -> Preview:
    with job.file.storage.open(job.file.name or "", "rb") as raw:
        preview = read_preview(raw, encoding, delimiter)
    job.encoding, job.delimiter, job.header = preview.encoding, preview.delimiter, preview.names
    job.header_digest = fingerprint(preview.names)
    job.mapping = suggest_mapping(preview, job.header_digest)
    return preview


def suggest_mapping(preview: Preview, header_digest: str) -> dict[str, Any]:
    """Return the mapping last used for a file with these columns, or a guess."""
    before = (
        Import.objects.filter(header_digest=header_digest, checked_at__isnull=False)
        .order_by("-checked_at")
        .values_list("mapping", flat=True)
        .first()
    )
    targets = all_targets()
    remembered = before if before and _still_valid(before, preview.names, targets) else None
    extra = {target.name: target.header_guesses for target in targets.values() if target.header_guesses}
    return guess_mapping(preview.names, preview.rows, kinds=list(usable_kinds()), extra=extra, remembered=remembered)


def _still_valid(mapping: dict[str, Any], names: list[str], targets: Collection[str]) -> bool:
    try:
        parse_mapping(mapping, header=names, kinds=usable_kinds(), targets=targets)
    except CdpError:
        return False
    return True


@transaction.atomic
def set_reading(*, import_id: int, encoding: str, delimiter: str) -> Import:
    """Read the file with another encoding or delimiter; the mapping is guessed anew when the columns differ."""
    job = _locked(import_id, (ImportState.UPLOADED, ImportState.READY), _("read differently"))
    if (encoding, delimiter) != (job.encoding, job.delimiter):
        _read_head(job, encoding, delimiter)
        _forget_check(job)
    job.save()
    return job


def _forget_check(job: Import) -> None:
    if job.state == ImportState.READY:
        ImportRow.objects.filter(import_id=job.pk).delete()
        job.state, job.counts, job.planned, job.rows_total = ImportState.UPLOADED, {}, {}, 0


def parse_proof(raw: Any) -> dict[str, str]:
    """Return the stated proof, {} when none is given; raise CdpError for half a proof."""
    given = {name: str((raw or {}).get(name) or "").strip() for name in _PROOF_FIELDS}
    if not any(given.values()):
        return {}
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise CdpError(
            "import.proof_incomplete",
            _("A proof needs all three: where the permission was given, on which date, and in which words."),
            place=f"proof.{missing[0]}",
        )
    try:
        obtained = date.fromisoformat(given["obtained_on"])
    except ValueError:
        raise CdpError("import.proof_date", _("Write the date as 2026-05-31."), place="proof.obtained_on") from None
    if obtained > timezone.localdate():
        raise CdpError("import.proof_date", _("The date of the proof lies in the future."), place="proof.obtained_on")
    if any(len(value) > 5000 for value in given.values()):
        raise CdpError("import.proof_too_long", _("Keep each part of the proof under 5,000 characters."), place="proof")
    return given


@transaction.atomic
def start_check(*, import_id: int, mapping: Any, proof: Any = None) -> Import:
    """Store the mapping and ask a worker for a dry run. Nothing is written to people."""
    job = _locked(import_id, (ImportState.UPLOADED, ImportState.READY, ImportState.FAILED), _("checked"))
    if job.done_line:
        raise CdpError(
            "import.begun", _("Rows of this import were committed already; it cannot be checked anew."), status=409
        )
    parsed = parse_mapping(mapping, header=job.header, kinds=usable_kinds(), targets=all_targets())
    job.mapping, job.proof = parsed.as_json(), parse_proof(proof)
    job.state, job.error_code, job.counts, job.planned = ImportState.CHECKING, "", {}, {}
    job.rows_total = job.rows_done = 0
    job.started_at, job.finished_at, job.stop_wanted = timezone.now(), None, ""
    job.save()
    hand_to_worker(job)
    return job


@transaction.atomic
def confirm_import(*, import_id: int, actor: Any) -> Import:
    """Agree to what the dry run showed: a worker begins to write to people."""
    job = _locked(import_id, (ImportState.READY,), _("committed"))
    job.state, job.confirmed_by, job.started_at = ImportState.RUNNING, actor, timezone.now()
    job.rows_done = 0
    job.save()
    hand_to_worker(job)
    return job


@transaction.atomic
def pause_import(*, import_id: int) -> Import:
    """Ask the worker to stop after the block it is at."""
    job = _locked(import_id, (ImportState.RUNNING,), _("paused"))
    job.stop_wanted = ImportState.PAUSED
    job.save(update_fields=["stop_wanted"])
    wake(TASK)
    return job


@transaction.atomic
def resume_import(*, import_id: int) -> Import:
    """Go on with a paused import, or with one that failed half-way."""
    job = _locked(import_id, (ImportState.PAUSED, ImportState.FAILED), _("resumed"))
    if not job.planned:
        raise CdpError("import.not_checked", _("Run the dry run first."), status=409)
    job.state, job.stop_wanted, job.error_code, job.finished_at = ImportState.RUNNING, "", "", None
    job.save()
    hand_to_worker(job)
    return job


@transaction.atomic
def cancel_import(*, import_id: int) -> Import:
    """Stop for good. What was committed stays and can be undone; before that, nothing of the file is kept."""
    states = (
        ImportState.UPLOADED,
        ImportState.CHECKING,
        ImportState.READY,
        ImportState.RUNNING,
        ImportState.PAUSED,
        ImportState.FAILED,
    )
    job = _locked(import_id, states, _("cancelled"))
    if job.state in (ImportState.CHECKING, ImportState.RUNNING) and is_held(NAME, job.pk):
        job.stop_wanted = ImportState.CANCELLED  # a worker is at it: it stops after its block
        job.save(update_fields=["stop_wanted"])
        wake(TASK)
        return job
    close_import(job, ImportState.CANCELLED)
    job.save()
    return job


def close_import(job: Import, state: str) -> None:
    """Set the end state, and drop the file and the rows that did not come in: they are personal data.

    The caller saves the job. The file goes when the transaction commits.
    """
    job.state, job.finished_at, job.stop_wanted = state, timezone.now(), ""
    if state == ImportState.CANCELLED:
        ImportRow.objects.filter(import_id=job.pk, line__gt=job.done_line).delete()
    name = job.file.name or ""
    job.file = ""
    transaction.on_commit(lambda: delete_file(name))


@transaction.atomic
def start_undo(*, import_id: int, actor: Any) -> Import:
    """Ask a worker to take back what the import wrote, as far as nobody changed it since."""
    job = _locked(import_id, (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED), _("undone"))
    if not job.done_line:
        raise CdpError(
            "import.nothing_written", _("This import wrote nothing, so there is nothing to undo."), status=409
        )
    if job.rows_removed_at is not None:
        raise CdpError(
            "import.rows_removed",
            _("The rows of this import were deleted when their time was up, so it can no longer be undone."),
            status=409,
        )
    job.state, job.started_at, job.finished_at = ImportState.UNDOING, timezone.now(), None
    job.stop_wanted, job.rows_done, job.error_code, job.confirmed_by = "", 0, "", actor
    job.save()
    hand_to_worker(job)
    return job
