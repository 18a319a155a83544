"""Whether the keys that are set are those that the list was made with. With others, every suppression would be lifted.

Each digest is stored with the chain of keys it was made by, and the chains in use stand in a table of a few rows. It is
asked at the start of every process and at every look-up: a process that still runs with older settings after a rotation
must stop sending, not send to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction
from django.utils.translation import gettext as _

from cdp.common.errors import CdpError
from cdp.common.faults import Unfit
from consent.models import Suppression, SuppressionKey
from profiles.identity.digests import KeyRing, key_id, key_ids, wrap_sql
from profiles.keyring import key_ring

_BATCH = 5000


class KeysDoNotFit(CdpError, Unfit):
    """Refuse to work on the list with keys that are not its own."""

    def __init__(self, message: str) -> None:
        super().__init__("suppression.key_does_not_fit", message, status=503)


def fitting_ring() -> KeyRing:
    """Return the keys; raise KeysDoNotFit when digests are stored that they cannot find."""
    problem = problem_with_keys()
    if problem:
        raise KeysDoNotFit(problem)
    return key_ring()


def problem_with_keys() -> str:
    """Return why the keys do not fit the list, in one line; "" when they do."""
    ring = key_ring()
    known = {chain.name for chain in ring.chains}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM consent_suppressionkey WHERE name <> ALL(%s)", [sorted(known)])
        strange = [name for (name,) in cursor.fetchall()]
    if not strange:
        return ""
    missing = sorted(key_ids(strange) - key_ids(sorted(known)))
    if not missing:
        return _("SUPPRESSION_KEY_FALLBACKS is in another order than the keys were used in: the newest comes first.")
    return _(
        "SUPPRESSION_KEY does not fit: the list of suppressed addresses was made with key %(missing)s, and given is "
        "%(given)s. Put that key back, or give it in SUPPRESSION_KEY_FALLBACKS."
    ) % {"missing": ", ".join(missing), "given": ", ".join(map(key_id, ring.keys))}


def keys_health() -> tuple[bool, str, str]:
    """Return the line of the health page."""
    problem = problem_with_keys()
    found = problem or _("the list was made with the keys given")
    return not problem, found, _("Restore the key from a backup of the settings: nobody can make it anew.")


def note_chains(names: Iterable[str]) -> None:
    """Note that digests are stored that were made by these chains."""
    SuppressionKey.objects.bulk_create([SuppressionKey(name=name) for name in sorted(names)], ignore_conflicts=True)


def rotate_keys(*, batch: int = _BATCH) -> int:
    """Wrap every digest in the keys that followed its own, in short transactions; return how many steps that were.

    It can be broken off and run again. Every process must know the new key by then: it looks for both forms of a
    digest, as these change one by one.
    """
    ring = fitting_ring()
    done = 0
    for older, newer in zip(ring.keys[:0:-1], ring.keys[-2::-1], strict=True):
        while changed := _wrap(ring, older, newer, batch):
            done += changed
    return done


@transaction.atomic
def _wrap(ring: KeyRing, older: str, newer: str, batch: int) -> int:
    """Wrap some of the digests whose last key is `older`; return how many."""
    names = [chain.name for chain in ring.chains if chain.keys[-1] == older]
    rows = Suppression.objects.select_for_update().filter(key_chain__in=names).order_by("pk")
    ids = list(rows.values_list("pk", flat=True)[:batch])
    if not ids:
        return 0
    note_chains(f"{name}+{key_id(newer)}" for name in names)
    expression, params = wrap_sql(newer, "digest")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE consent_suppression SET digest = {expression}, key_chain = key_chain || '+' || %s"
            " WHERE id = ANY(%s)",
            [*params, key_id(newer), ids],
        )
    return len(ids)
