"""Set what is known of a person by hand or over the API."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from profiles.identity.graph import kind_of
from profiles.identity.normalise import normal_email, normalise
from profiles.identity.phones import region_of
from profiles.identity.trait_names import canonical_name, canonical_traits
from profiles.identity.traits import (
    ADDRESS_TRAITS,
    MAX_TRAITS,
    MAX_VALUE_BYTES,
    PIN,
    Slots,
    assert_traits,
    is_protected,
    merge_into,
    name_is_usable,
    slot_of,
    stamp,
)
from profiles.messages.cleaning import Unstorable, clean
from profiles.models import Identifier, Profile, Source
from profiles.processing.sources import load_rules
from profiles.resolution import people
from profiles.resolution.resolve import Observation, resolve
from profiles.resolution.rows import Pair, find_identifiers, lock_profiles


def checked_traits(values: Mapping[str, Any], *, trusted: bool = True) -> dict[str, Any]:
    """Return traits that may be stored, by their one names; raise CdpError naming the first that may not."""
    if len(values) > MAX_TRAITS:
        raise CdpError("trait.too_many", _("A person has at most %(limit)s traits.") % {"limit": MAX_TRAITS})
    for name, value in values.items():
        if not isinstance(name, str) or not name_is_usable(name):
            raise CdpError(
                "trait.name_invalid",
                _("A trait's name has 1 to 100 letters, digits, blanks or any of . : $ - _"),
                place=str(name)[:100],
            )
        if not trusted and is_protected(name):
            raise CdpError("trait.protected", _("This source may not set this trait."), place=name)
        try:
            storable = clean(value) is value
        except Unstorable as error:
            raise CdpError("trait.value_invalid", _("This value cannot be stored."), place=name) from error
        if not storable or len(json.dumps(value)) > MAX_VALUE_BYTES:
            raise CdpError("trait.value_invalid", _("This value cannot be stored, or is too long."), place=name)
    named = canonical_traits(values)
    if named.get("email") and not normal_email(str(named["email"])):
        raise CdpError("trait.email_invalid", _("This is not a mail address."), place="email")
    return with_one_number(named)


def with_one_number(traits: dict[str, Any]) -> dict[str, Any]:
    """Return traits with the telephone number in its one form; one that is no number stays as it is written."""
    number = normalise("phone", traits.get("phone"), region_of([traits]))
    return {**traits, "phone": number} if number else traits


@transaction.atomic
def set_traits(
    *,
    profile_id: int,
    values: Mapping[str, Any],
    removed: Collection[str] = (),
    pinned: Collection[str] = (),
    unpinned: Collection[str] = (),
    source: Source,
    cause: str = "manual",
    actor: Any = None,
) -> dict[str, tuple[Any, Any]]:
    """Set and remove traits of one person; return {trait: (old, new)} of what really changed.

    The newest word of a trusted source stands, until one of them says something else. `pinned` names traits whose
    value (the one given here, or the one they have) stays whatever is said later, until `unpinned`.
    Raises CdpError (`person.not_found`, `trait.*`).
    """
    checked_traits(dict.fromkeys([*removed, *pinned, *unpinned]), trusted=source.trusted)  # their names
    removed, pinned, unpinned = ([canonical_name(name) for name in names] for names in (removed, pinned, unpinned))
    values = checked_traits(values, trusted=source.trusted)
    said = {**values, **dict.fromkeys(removed)}
    lock_profiles([profile_id])
    person = Profile.objects.alive().filter(pk=profile_id).first()
    if person is None:
        raise CdpError("person.not_found", _("There is no such person, or not any more."), status=404)
    to_pin = _to_pin(pinned, said, person)
    anchor = anchor_of(profile_id)
    now = timezone.now()
    by = f"{cause}:{actor.pk}" if getattr(actor, "pk", None) else cause
    facts = {"at": stamp(now), "tie": uuid4().hex, "cause": by}
    assertions: dict[str, Slots] = {}
    merge_into(assertions, assert_traits(said, slot=slot_of(source.pk, trusted=source.trusted), **facts))
    merge_into(assertions, assert_traits(to_pin, slot=PIN, **facts))
    people.drop_slot(PIN, names={*unpinned} - to_pin.keys(), profile_ids=[profile_id])
    subject = (anchor.kind, anchor.value)
    observed = [Observation((subject,), now, facts["tie"], source.pk, trusted=False)]
    observed += _addresses(profile_id, subject, values, source, now)
    resolved = resolve(observed, load_rules().kinds)
    written = people.write(resolved, {subject: assertions}, cause=by, also=[profile_id], at=now, news="manual")
    return written.diffs[profile_id].changes if profile_id in written.diffs else {}


def _addresses(
    profile_id: int, subject: Pair, values: Mapping[str, Any], source: Source, now: datetime
) -> list[Observation]:
    """Return the observations that make an address among these values one of the person's; raise CdpError."""
    observed = []
    for kind in sorted(ADDRESS_TRAITS & values.keys()):
        pair = (kind, normalise(kind, values[kind], region_of([values])))
        if not pair[1] or pair == subject:
            continue
        there = find_identifiers([pair]).get(pair)
        if there is not None and there.profile_id != profile_id:
            raise CdpError(
                "trait.address_taken",
                _("This address belongs to another person. Merge the two instead."),
                place=kind,
                status=409,
            )
        tie = uuid4().hex
        observed.append(Observation((subject, pair), now, tie, source.pk, trusted=False, manual=True))
        observed.append(Observation((pair,), now, tie, source.pk, trusted=source.trusted))
    return observed


def _to_pin(names: Collection[str], said: Mapping[str, Any], person: Profile) -> dict[str, Any]:
    """Return {trait: value that it is to keep}; raise CdpError for a trait that has none."""
    values = {**person.traits, **said}
    for name in names:
        if values.get(name) is None:
            raise CdpError("trait.nothing_to_pin", _("There is no value to pin."), place=name)
    return {name: values[name] for name in names}


def anchor_of(profile_id: int) -> Identifier:
    """Return the identifier of a person that what is said by hand hangs on."""
    found = list(Identifier.objects.filter(profile_id=profile_id))
    if not found:
        raise CdpError("person.no_identifier", _("This person has no identifier that a trait could hang on."))
    return strongest(found)


def strongest(identifiers: Iterable[Identifier]) -> Identifier:
    """Return the identifier that somebody is best known by, of those that trusted links tie to the person."""
    kinds = load_rules().kinds
    return min(identifiers, key=lambda item: (not item.tied, kind_of(item.kind, kinds).priority, item.kind, item.value))
