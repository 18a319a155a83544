"""The keys of the installation's digests, as the settings give them."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from profiles.identity.digests import KeyRing


def key_ring() -> KeyRing:
    """Return SUPPRESSION_KEY and those that it replaced."""
    return _ring((settings.SUPPRESSION_KEY, *settings.SUPPRESSION_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def _ring(keys: tuple[str, ...]) -> KeyRing:
    return KeyRing(keys)
