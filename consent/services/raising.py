"""A link may be forwarded, so it stops and lowers only. A yes that it asks for takes effect by a fresh mail.

The mail goes to the address that the link's own message went to, or to the person's present one; its link is good for a
day, and stands for exactly what was ticked (A40).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext as _

from cdp.common.registry import Registry
from consent.keys import fitting_ring
from consent.links import Link
from consent.models import Purpose
from consent.services.confirming import mailed_addresses
from consent.services.objections import holds_yes, marketing_states, save_preferences, unsaid_state
from profiles.models import Identifier, Profile

SALT = "consent.raise.v1"
GOOD_FOR = 24 * 3600
#: seconds between two such mails to one person, in one process: a link must not become a way to flood somebody
PAUSE = 120.0
_REMEMBERED = 10_000
_sent_at: OrderedDict[int, float] = OrderedDict()

#: name -> function(address, subject, text) -> whether the mail server took it
letter_senders: Registry[Callable[[str, str, str], bool]] = Registry("sender of single letters")

Box = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Raise:
    """What a fresh link stands for."""

    profile: Profile
    boxes: frozenset[Box]
    language: str


def asked_yes(profile_id: int, wanted: Set[Box]) -> set[Box]:
    """Return the boxes that are ticked and do not hold: what only a fresh link can give."""
    purposes = Purpose.objects.filter(active=True).in_bulk({purpose_id for purpose_id, _channel in wanted})
    states = marketing_states(profile_id)
    unsaid = unsaid_state(states.values())
    return {box for box in wanted if (found := purposes.get(box[0])) and not holds_yes(found, states.get(box, unsaid))}


def mail_fresh_link(*, link: Link, profile_id: int, boxes: Set[Box], language: str) -> bool:
    """Mail a link that gives these; tell whether it went out, or went out a moment ago."""
    profile = Profile.objects.get(pk=profile_id)
    address = address_behind(link, profile)
    if not address or not boxes:
        return False
    now = time.monotonic()
    if now - _sent_at.get(profile_id, float("-inf")) < PAUSE:
        return True
    slugs = dict(Purpose.objects.filter(pk__in={box[0] for box in boxes}).values_list("pk", "slug"))
    told = {
        "p": str(profile.uuid),
        "b": sorted([slugs[purpose_id], channel] for purpose_id, channel in boxes),
        "l": language,
        "a": fitting_ring().digests("email", address)[0],
    }
    url = settings.SITE_URL + reverse("consent:confirm", args=[signing.dumps(told, salt=SALT, compress=True)])
    text = _(
        "Somebody chose messages for this address on our preference page. Was it you? Then confirm it here, "
        "within a day:\n\n%(url)s\n\nIf it was not you, do nothing: nothing changes."
    )
    sent = any(send(address, _("Confirm your choice"), text % {"url": url}) for send in letter_senders)
    if sent:
        _sent_at[profile_id] = now
        while len(_sent_at) > _REMEMBERED:
            _sent_at.popitem(last=False)
    return sent


def address_behind(link: Link, profile: Profile) -> str:
    """Return the address that the link was sent to, while it is the person's; else the one that is mailed now."""
    sent_to = next(filter(None, (find(link.reference) for find in mailed_addresses)), "")
    ring = fitting_ring()
    values = Identifier.objects.filter(profile=profile, kind="email").values_list("value", flat=True)
    own = next((value for value in values if sent_to and sent_to in ring.digests("email", value)), "")
    return own or profile.email


def read_fresh(token: str) -> Raise | None:
    """Return what a fresh link stands for; None when it is not ours, too old, or its address is no longer theirs."""
    try:
        told = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    profile = Profile.objects.alive().filter(uuid=told["p"]).first()
    if profile is None:
        return None
    ring = fitting_ring()
    values = Identifier.objects.filter(profile=profile, kind="email").values_list("value", flat=True)
    if not any(told["a"] in ring.digests("email", value) for value in values):
        return None
    numbers = dict(Purpose.objects.filter(active=True, is_marketing=True).values_list("slug", "pk"))
    boxes = frozenset((numbers[slug], channel) for slug, channel in told["b"] if slug in numbers)
    return Raise(profile, boxes, told["l"])


def give(fresh: Raise, evidence: Mapping[str, Any]) -> list[int]:
    """Record the yes of somebody who opened the mail at their own address."""
    return save_preferences(
        profile_id=fresh.profile.pk,
        wanted=fresh.boxes,
        offered=fresh.boxes,
        language=fresh.language,
        evidence=evidence,
        reference="preferences:mailed",
    )
