"""manage.py rotate_suppression_key: bring the list of suppressed addresses under the key of now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consent.keys import KeysDoNotFit, rotate_keys
from profiles.keyring import key_ring


class Command(BaseCommand):
    """Wrap every digest in the new key."""

    help = (
        "First give every process the new SUPPRESSION_KEY and the old one in SUPPRESSION_KEY_FALLBACKS, and restart "
        "them; then run this. The old key must stay in the fallbacks: nobody can make a digest anew without the "
        "address. But from then on the list cannot be read with the old key alone."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate; say how many digests changed."""
        if len(key_ring().keys) == 1:
            raise CommandError("SUPPRESSION_KEY_FALLBACKS is empty: there is no older key to rotate from.")
        try:
            done = rotate_keys()
        except KeysDoNotFit as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{done} digests wrapped in key {key_ring().current.name}")
