"""Find the one person that somebody means: by id, or by `kind:value` (as in `email:anna@example.org`)."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils.translation import gettext as _

from cdp.common.errors import CdpError, NotAllowed
from cdp.common.masking import can_see_pii
from profiles.identity.normalise import normalise
from profiles.models import Identifier, Profile

#: a person merged into another leads there; longer chains are not made
MAX_MERGES = 20


def find_person(text: str, *, reader: Any) -> Profile | None:
    """Return the living person of an id or of `kind:value`; one merged into another leads to that one.

    Raise NotAllowed when a reader who may not see identifiers asks by one, whether it is there or not: an answer would
    tell whose it is.
    """
    kind, colon, value = text.partition(":")
    if colon:
        if not can_see_pii(reader):
            raise NotAllowed(
                _("You may look people up by their id only: identifiers are hidden from you."), code="lookup_hidden"
            )
        person = _by_identifier(kind, value)
    else:
        try:
            person = Profile.objects.filter(uuid=uuid.UUID(text)).first()
        except ValueError:
            return None
    return _survivor(person)


def get_person(text: str, *, reader: Any, place: str = "") -> Profile:
    """Return the person as `find_person` does; raise CdpError `unknown_person` when there is none.

    Named in an address that is a 404, named in the field `place` of a body a 400.
    """
    person = find_person(text, reader=reader)
    if person is None:
        raise CdpError("unknown_person", _("There is no such person."), place=place, status=400 if place else 404)
    return person


def _by_identifier(kind: str, value: str) -> Profile | None:
    text = normalise(kind, value)
    if not text or not kind or len(kind) > 40:
        return None
    found = Identifier.objects.filter(kind=kind, value=text).select_related("profile").first()
    return found.profile if found is not None else None


def _survivor(person: Profile | None) -> Profile | None:
    for _step in range(MAX_MERGES):
        if person is None or person.merged_into_id is None:
            break
        person = Profile.objects.filter(pk=person.merged_into_id).first()
    return person if person is not None and person.erased_at is None and person.merged_into_id is None else None
