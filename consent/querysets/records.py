"""Reads of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from consent.actors import actor_names, proof_text
from consent.models import ConsentRecord, Erasure
from consent.models.ledger import Method
from profiles.models import Identifier, Import, Profile, Source


def of_person(rows: QuerySet[ConsentRecord], profile_id: int) -> QuerySet[ConsentRecord]:
    """Keep what the subjects of a person said, under whatever profile they said it."""
    subjects = Identifier.objects.filter(profile_id=profile_id).values_list("pk", flat=True)
    return rows.filter(identifier_id__in=list(subjects))


def with_public_ids(rows: Sequence[ConsentRecord]) -> Sequence[ConsentRecord]:
    """Give each record what the API says in place of the numbers of rows.

    `row.public_profile_id`: whose subject it is now, None once erased or removed; `row.public_actor`;
    `row.public_reference`: what it came with, a delivery without its numbers.
    """
    owner = dict(Identifier.objects.filter(pk__in={row.identifier_id for row in rows}).values_list("pk", "profile_id"))
    people = dict(Profile.objects.filter(pk__in=set(owner.values()), erased_at=None).values_list("pk", "uuid"))
    sources = _by_number(Source, "slug", (row.actor for row in rows), "source")
    imports = _by_number(Import, "uuid", (row.reference for row in rows), "import", "import-undo")
    for row in rows:
        row.public_profile_id = people.get(owner.get(row.identifier_id, 0))  # type: ignore[attr-defined]
        row.public_actor = sources.get(row.actor, row.actor)  # type: ignore[attr-defined]
        kind = row.reference.partition(":")[0]
        plain = row.reference if kind == "message" else kind
        row.public_reference = imports.get(row.reference, plain)  # type: ignore[attr-defined]
    return rows


def _by_number(model: Any, public: str, texts: Iterable[str], *kinds: str) -> dict[str, str]:
    """Return {`kind:number`: `kind:public id`} of the texts of these kinds."""
    pairs = {text: text.partition(":") for text in texts}
    wanted = {text: int(rest) for text, (kind, _colon, rest) in pairs.items() if kind in kinds and rest.isdecimal()}
    known = dict(model.objects.filter(pk__in=wanted.values()).values_list("pk", public))
    return {text: f"{pairs[text][0]}:{known[number]}" for text, number in wanted.items() if number in known}


def with_people(rows: Sequence[ConsentRecord]) -> Sequence[ConsentRecord]:
    """Give each record what pages show beside it.

    `row.person`: whose subject it is now (None once erased or removed); `row.removed_by`: the import whose undo removed
    the person, if one did; `row.who`: who stated it; `row.proof_text`: how well that is known.
    """
    owner = dict(Identifier.objects.filter(pk__in={row.identifier_id for row in rows}).values_list("pk", "profile_id"))
    people = Profile.objects.in_bulk(set(owner.values()))
    removed = _removed_by_undo([row for row in rows if row.identifier_id not in owner])
    names = actor_names(row.actor for row in rows)
    for row in rows:
        row.who = names[row.actor]  # type: ignore[attr-defined]  # for the template
        row.proof_text = proof_text(row, names[row.actor])  # type: ignore[attr-defined]  # for the template
        row.removed_by = removed.get(row.identifier_id)  # type: ignore[attr-defined]  # for the template
        found: Any = people.get(owner.get(row.identifier_id, 0))
        row.person = found if found is not None and found.erased_at is None else None  # type: ignore[attr-defined]  # for the template
    return rows


def _removed_by_undo(rows: Sequence[ConsentRecord]) -> dict[int, Import]:
    """Return {subject: import} of the subjects that an undone import removed, and no erasure."""
    if not rows:
        return {}
    people = {row.profile_id for row in rows}
    erased = set(Erasure.objects.filter(profile_id__in=people).values_list("profile_id", flat=True))
    subjects = {row.identifier_id for row in rows if row.profile_id not in erased}
    undone = ConsentRecord.objects.filter(identifier_id__in=subjects, method=Method.IMPORT_UNDONE)
    references = dict(undone.order_by("position").values_list("identifier_id", "reference"))
    numbers = {subject: int(reference.rpartition(":")[2]) for subject, reference in references.items()}
    imports = Import.objects.in_bulk(set(numbers.values()))
    return {subject: imports[number] for subject, number in numbers.items() if number in imports}
