"""The keyed digest under which an address is known to the suppression list."""

from __future__ import annotations

from django.conf import settings

from consent.policy.addresses import keyed_digest


def digest_of(kind: str, value: str) -> str:
    """Return the keyed digest of an address or identifier."""
    return keyed_digest(settings.SUPPRESSION_KEY, kind, value)
