"""Make, update, restrict and erase people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.errors import CdpError
from cdp.common.faults import persist
from profiles.changes import Change, announce
from profiles.identity.graph import kind_of
from profiles.identity.junk import is_junk
from profiles.identity.normalise import normalise
from profiles.identity.phones import region_of
from profiles.identity.trait_names import canonical_traits
from profiles.identity.traits import Slots, assert_traits, merge_into, slot_of, stamp
from profiles.messages.model import Rules
from profiles.models import Identifier, Profile, Source
from profiles.processing.sources import load_rules
from profiles.resolution import people
from profiles.resolution.resolve import Observation, Resolved, resolve
from profiles.resolution.rows import Pair, lock_profiles
from profiles.services.traits import checked_traits, with_one_number
from profiles.tombstones import find_erased


@dataclass(frozen=True, kw_only=True)
class PersonRow:
    """A person to write: identifiers as (kind, value), and traits; an address among the traits is an identifier too."""

    identifiers: Sequence[Pair]
    traits: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PersonOutcome:
    """What became of a row. `outcome`: created | updated | unchanged | rejected (then `code` says why).

    `others` are the people whose identifiers the row names too, and who are not known to be the same person.
    """

    profile_id: int | None
    identifier_id: int | None
    outcome: str
    code: str = ""
    others: tuple[int, ...] = ()
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@transaction.atomic
def upsert_people(*, rows: Sequence[PersonRow], source: Source, cause: str) -> list[PersonOutcome]:
    """Make or update people in bulk, each found by its identifiers; return one outcome per row, in order."""
    rules, now = load_rules(), timezone.now()
    rows = [replace(row, traits=with_one_number(canonical_traits(row.traits))) for row in rows]
    prepared = [_prepared(row, rules) for row in rows]
    gone = find_erased({pair for pairs, _code in prepared for pair in pairs})
    ready = {number: pairs for number, (pairs, code) in enumerate(prepared) if not code and gone.isdisjoint(pairs)}
    assertions: dict[Pair, dict[str, Slots]] = {}
    slot = slot_of(source.pk, trusted=source.trusted)
    observations = []
    for number, pairs in ready.items():
        tie = uuid4().hex
        observations.append(Observation(pairs, now, tie, source.pk, source.trusted))
        merge_into(
            assertions.setdefault(pairs[0], {}),
            assert_traits(rows[number].traits, slot=slot, at=stamp(now), tie=tie, cause=cause),
        )
    resolved = resolve(observations, rules.kinds, assertions=assertions)
    written = people.write(resolved, assertions, at=now, news=cause.partition(":")[0])
    return [_outcome(number, prepared, ready, resolved, written.diffs) for number in range(len(rows))]


def _prepared(row: PersonRow, rules: Rules) -> tuple[tuple[Pair, ...], str]:
    """Return (identifiers in their one form, the anchor first; why the row cannot be used)."""
    given = [*row.identifiers, *((kind, row.traits[kind]) for kind in ("email", "phone") if row.traits.get(kind))]
    region = region_of([row.traits])
    pairs = []
    for number, (kind, value) in enumerate(given):
        text = normalise(kind, value, region)
        if not text and kind == "phone" and number >= len(row.identifiers):
            continue  # a trait that is no number is kept as it is written
        if kind not in rules.kinds:
            return (), "identifier.kind_unknown"
        if not text:
            return (), "identifier.invalid"
        if is_junk(kind, text, rules.blocked.get(kind, ())):
            return (), "identifier.junk"
        pairs.append((kind, text))
    ordered = sorted(dict.fromkeys(pairs), key=lambda pair: (kind_of(pair[0], rules.kinds).priority, pair))
    return tuple(ordered), "" if ordered else "identifier.missing"


def _outcome(
    number: int,
    prepared: list[tuple[tuple[Pair, ...], str]],
    ready: dict[int, tuple[Pair, ...]],
    resolved: Resolved,
    diffs: dict[int, people.TraitDiff],
) -> PersonOutcome:
    pairs, code = prepared[number]
    if number not in ready:
        return PersonOutcome(profile_id=None, identifier_id=None, outcome="rejected", code=code or "erased")
    row = resolved.identifiers[pairs[0]]
    diff = diffs.get(row.profile_id)
    known = any(pair in resolved.before for pair in pairs)
    added = any(pair in resolved.new for pair in pairs)
    outcome = "created" if not known else "updated" if added or (diff and diff.changes) else "unchanged"
    held = {resolved.identifiers[pair].profile_id for pair in pairs if pair in resolved.identifiers}
    return PersonOutcome(
        profile_id=row.profile_id,
        identifier_id=row.id,
        outcome=outcome,
        others=tuple(sorted(held - {row.profile_id})),
        changes=diff.changes if diff else {},
    )


def upsert_person(*, row: PersonRow, source: Source, cause: str = "api") -> PersonOutcome:
    """Make or update one person; raise CdpError naming what is wrong with an identifier or trait.

    Identifiers of several people who are not known to be one are refused (409): nothing is written.
    """
    checked_traits(row.traits, trusted=source.trusted)

    @transaction.atomic
    def write() -> PersonOutcome:
        outcome = upsert_people(rows=[row], source=source, cause=cause)[0]
        if outcome.others:
            raise _several_people([outcome.profile_id or 0, *outcome.others])
        return outcome

    outcome = persist(write)
    if outcome.outcome == "rejected":
        raise CdpError(outcome.code, refusal_text(outcome.code), place="identifiers")
    return outcome


def _several_people(profile_ids: Sequence[int]) -> CdpError:
    uuids = Profile.objects.filter(pk__in=profile_ids).order_by("pk").values_list("uuid", flat=True)
    return CdpError(
        "identifiers_of_several_people",
        _("These identifiers belong to different people. Write one of them, or merge the two."),
        place="identifiers",
        status=409,
        detail={"profile_ids": [str(uuid) for uuid in uuids]},
    )


def refusal_text(code: str) -> str:
    """Return why a person cannot be stored, in the reader's language."""
    return str(_REFUSALS.get(code, _("This person cannot be stored.")))


_REFUSALS = {
    "identifier.kind_unknown": gettext_lazy("There is no such kind of identifier."),
    "identifier.invalid": gettext_lazy("An identifier has a value that cannot be one."),
    "identifier.junk": gettext_lazy("An identifier has a value that stands for nobody (such as “null” or “noreply@”)."),
    "identifier.missing": gettext_lazy("Give at least one identifier."),
    "erased": gettext_lazy("This person was erased and stays out."),
    "unknown_field": gettext_lazy("There is no such field."),
    "invalid_value": gettext_lazy("This field cannot have such a value."),
    "conflict": gettext_lazy("Others are writing this person just now; try again."),
}


@transaction.atomic
def restrict_person(*, profile_id: int, restricted: bool, actor: Any = None) -> Profile:
    """Restrict the use of a person's data (GDPR art. 18), or lift that: stored, shown, not used.

    It is kept with the identifiers: whoever is merged with the person is restricted too, until they are unmerged.
    """
    lock_profiles([profile_id])
    person = Profile.objects.filter(pk=profile_id, merged_into=None, erased_at=None).first()
    if person is None:
        raise CdpError("person.not_found", _("There is no such person, or not any more."), status=404)
    now = timezone.now()
    moment = Coalesce("restricted_at", Value(now)) if restricted else None
    if not Identifier.objects.filter(profile_id=profile_id).update(restricted_at=moment):
        raise CdpError("person.no_identifier", _("This person has no identifier that it could be kept with."))
    people.refresh([profile_id], at=now)
    announce(Change(profile_ids={profile_id}, cause="restrict"))
    person.refresh_from_db()
    return person
