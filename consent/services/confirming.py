"""A person who uses the link of a message has answered at the address that it was sent to."""

from __future__ import annotations

from collections.abc import Callable

from cdp.common.registry import Registry
from consent.keys import fitting_ring
from consent.links import Link
from consent.policy.addresses import KIND_OF_CHANNEL
from profiles.models import Identifier
from profiles.services.identifiers import confirm_identifier

#: name -> function(reference of a link) -> the keyed digest of the address its message went to, "" when not known
mailed_addresses: Registry[Callable[[str], str]] = Registry("look-up of mailed addresses")


def confirm_by_link(link: Link, profile_id: int) -> bool:
    """Confirm the address that the link was sent to, if it still is the person's; tell whether it was."""
    kind = KIND_OF_CHANNEL.get(link.channel, "")
    sent_to = next(filter(None, (find(link.reference) for find in mailed_addresses)), "")
    if not sent_to or not kind:
        return False
    ring = fitting_ring()
    for value in Identifier.objects.filter(profile_id=profile_id, kind=kind).values_list("value", flat=True):
        if sent_to in ring.digests(kind, value):
            confirm_identifier(kind=kind, value=value)
            return True
    return False
