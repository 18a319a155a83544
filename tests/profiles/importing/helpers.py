"""Small steps that the import tests share."""

from __future__ import annotations

import io
from typing import Any

from profiles.importing import services as service
from profiles.importing.runner import run_imports
from profiles.models import Identifier, Import, Profile


def upload(content: str | bytes, name: str = "contacts.csv") -> Import:
    """Take a file in."""
    data = content.encode() if isinstance(content, str) else content
    return service.receive_file(upload=io.BytesIO(data), name=name, actor=None)


def checked(content: str | bytes, mapping: dict[str, Any] | None = None, proof: Any = None) -> Import:
    """Take a file in and run the dry run with the guessed mapping, or the one given."""
    job = upload(content)
    service.start_check(import_id=job.pk, mapping=mapping or job.mapping, proof=proof)
    run_imports()
    job.refresh_from_db()
    return job


def confirm(job: Import) -> Import:
    """Agree and let the worker run."""
    service.confirm_import(import_id=job.pk, actor=None)
    run_imports()
    job.refresh_from_db()
    return job


def imported(content: str | bytes, mapping: dict[str, Any] | None = None) -> Import:
    """Run a file through all steps."""
    return confirm(checked(content, mapping))


def undone(job: Import) -> Import:
    """Undo an import."""
    service.start_undo(import_id=job.pk, actor=None)
    run_imports()
    job.refresh_from_db()
    return job


def person(kind: str, value: str) -> Profile | None:
    """Return who has this identifier."""
    found = Identifier.objects.filter(kind=kind, value=value).select_related("profile").first()
    return found.profile if found else None


def outcomes(job: Import) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: count for name, count in job.counts["outcomes"].items() if count}


def snapshot() -> list[Any]:
    """Return everything that is known of everybody, to compare before and after."""
    people = Profile.objects.order_by("id").values(
        "id", "traits", "origins", "display_name", "email", "search_text", "identified"
    )
    identifiers = Identifier.objects.order_by("id").values("id", "kind", "value", "profile_id", "assertions")
    return [*people, *identifiers]
