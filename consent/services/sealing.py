"""Seal the ledger: a root over the records since the seal before, chained to it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from consent.models import ConsentRecord, LedgerSeal
from consent.policy.canonical import GENESIS
from consent.policy.chain import seal_hash
from consent.policy.verification import Root

#: no seal covers more records, so that it can be verified in one go
MOST = 50_000
_BLOCK = 5_000


def seal_ledger() -> LedgerSeal | None:
    """Seal the records since the last seal, as many seals as it takes; return the last, None when nothing is new."""
    newest, now = _barrier()
    last = LedgerSeal.objects.order_by("-id").first()
    made = None
    while newest > (last.to_id if last is not None else 0):
        made = last = _seal_next(last, newest, now)
    return made


@transaction.atomic
def _barrier() -> tuple[int, datetime]:
    """Return the newest record and the database's time, with every record up to it committed or never to come.

    Writers take their ids under a lock that this one conflicts with: it waits for those under way (5 s at most, then
    it fails and is tried again), so that no record with a lower id can appear behind the seal.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute("LOCK TABLE consent_consentrecord IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(
            "SELECT coalesce(max(id), 0), date_trunc('microseconds', clock_timestamp()) FROM consent_consentrecord"
        )
        newest, now = cursor.fetchone()
    return newest, now


def _seal_next(last: LedgerSeal | None, newest: int, now: datetime) -> LedgerSeal:
    start = last.to_id + 1 if last is not None else 1
    rows = ConsentRecord.objects.filter(pk__gte=start, pk__lte=newest).order_by("pk").values_list("pk", "hash")[:MOST]
    root, to_id = Root(), start
    for to_id, digest in rows.iterator(chunk_size=_BLOCK):
        root.add(to_id, digest)
    prev_hash = last.hash if last is not None else GENESIS
    seal = LedgerSeal(
        from_id=start, to_id=to_id, count=root.count, root=root.value(), prev_hash=prev_hash, sealed_at=now
    )
    seal.hash = seal_hash(
        from_id=start, to_id=to_id, count=root.count, root=seal.root, prev_hash=prev_hash, sealed_at=now
    )
    seal.save(force_insert=True)
    return seal
