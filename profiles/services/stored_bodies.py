"""Take erased people out of what was stored as it came: the bodies of requests, and the rejected messages.

Bodies are found by the digests of whom they name, so this needs nothing that still names the person: it can be broken
off and gone on with later. What waits to be processed has no digests yet and is read through. One body at a time is in
memory, a few megabytes are in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain

from django.db import connection, transaction

from cdp.common.arrays import numbers
from cdp.common.models import DeadLetter
from profiles.identity.whole_words import redacted, telling
from profiles.keyring import key_ring
from profiles.messages.cutting import cut
from profiles.messages.model import Pair
from profiles.models import RawIdentifier, RejectedMessage
from profiles.processing.claim import Entry, fitting, load_bodies
from profiles.processing.sources import load_rules
from profiles.processing.store import rewrite_bodies

_PAGE = 500
#: stands in a rejected message of somebody else in the place of an identifier of an erased person
REDACTED = "(erased)"


def digests_of(identifiers: Collection[Pair]) -> set[int]:
    """Return the digests under which bodies may name these identifiers."""
    ring = key_ring()
    return {digest for kind, value in identifiers for digest in ring.shorts(kind, value)}


def cut_stored(digests: Collection[int]) -> Iterator[dict[str, int]]:
    """Cut the messages that name somebody out of all bodies, and empty the rejected ones; yield rows by table.

    Each step is a transaction of its own, and a step that was done is not done again.
    """
    wanted = set(digests)
    if not wanted:
        return
    while page := _named_bodies(wanted):
        yield from _cut_page(page, wanted)
    for page in chain(_inbox_pages(), [_dead_letters()]):
        yield from _cut_page(page, wanted)
    rejected = RejectedMessage.objects.filter(names__overlap=sorted(wanted))
    yield {"profiles_rejectedmessage": rejected.update(payload={}, params={}, message_id="", names=[])}


def _cut_page(entries: list[Entry], digests: set[int]) -> Iterator[dict[str, int]]:
    while entries:
        chosen = fitting(entries)
        yield {"profiles_rawmessage": _cut_block(chosen, digests)}
        entries = entries[len(chosen) :]


@transaction.atomic
def _cut_block(entries: Sequence[Entry], digests: set[int]) -> int:
    """Cut bodies, and forget that they named these; return how many were cut."""
    ring, rules, done = key_ring(), load_rules(), 0

    def spares(names: frozenset[Pair]) -> bool:
        return not any(ring.shorts(kind, value) & digests for kind, value in names)

    for entry in sorted(entries, key=lambda entry: entry.raw_id):
        for raw in load_bodies([entry]):
            rest = cut(raw.body, raw.endpoint, rules, spares)
            if rest is not None:
                rewrite_bodies([(entry, rest)])
                done += 1
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM profiles_rawidentifier WHERE digest = ANY(%s::bigint[]) AND raw_id = ANY(%s::bigint[])",
            [numbers(digests), numbers(entry.raw_id for entry in entries)],
        )
    return done


def _named_bodies(digests: set[int]) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT raw_id, received_at FROM profiles_rawidentifier WHERE digest = ANY(%s::bigint[])"
            " ORDER BY raw_id LIMIT %s",
            [numbers(digests), _PAGE],
        )
        return [Entry(raw_id, received_at, 0) for raw_id, received_at in cursor.fetchall()]


def _inbox_pages() -> Iterator[list[Entry]]:
    """Yield what waits to be processed, a page at a time. What comes later meets the tombstones."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT raw_id, received_at, source_id FROM profiles_inbox WHERE raw_id > %s ORDER BY raw_id LIMIT %s",
                [last, _PAGE],
            )
            page = [Entry(*row) for row in cursor.fetchall()]
        if not page:
            return
        last = page[-1].raw_id
        yield page


def _dead_letters() -> list[Entry]:
    """Return the bodies that could not be processed: nobody noted whom they name."""
    letters = DeadLetter.objects.filter(queue="inbox").values_list("key", "payload")
    return [Entry(int(key), datetime.fromisoformat(payload["received_at"]), 0) for key, payload in letters]


@transaction.atomic
def redact_rejected(identifiers: Collection[Pair]) -> int:
    """Take a person's identifiers out of the texts of rejected messages that do not name the person, which are
    emptied as a whole; return how many. Reads all rejected messages.
    """
    words, done = telling(value for _kind, value in identifiers), 0
    if not words:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM profiles_rejectedmessage m WHERE EXISTS (SELECT 1 FROM unnest(%s::text[]) word"
            " WHERE strpos(lower(m.payload::text || m.params::text || m.message_id), word) > 0)"
            " AND NOT m.names && %s::bigint[] ORDER BY id",
            [[word.lower() for word in words], numbers(digests_of(identifiers))],
        )
        ids = [row[0] for row in cursor.fetchall()]
    for start in range(0, len(ids), _PAGE):
        for row in RejectedMessage.objects.select_for_update().filter(pk__in=ids[start : start + _PAGE]).order_by("pk"):
            row.payload, row.params = redacted(row.payload, words, REDACTED), redacted(row.params, words, REDACTED)
            row.message_id = redacted(row.message_id, words, REDACTED)[:128]
            row.save(update_fields=["payload", "params", "message_id"])
            done += 1
    return done


def cut_unreadable(values: Collection[str]) -> dict[str, int]:
    """Empty the bodies that cannot be read and hold one of these values as text; return rows by table."""
    wanted = [value.lower() for value in values]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH marked AS (SELECT DISTINCT received_at, raw_id FROM profiles_rawidentifier WHERE digest = %s)"
            " UPDATE profiles_rawmessage r SET body = '', ip = NULL, user_agent = '' FROM marked m"
            " WHERE r.received_at = m.received_at AND r.id = m.raw_id AND EXISTS (SELECT 1 FROM unnest(%s::text[]) v"
            " WHERE position(convert_to(v, 'UTF8') IN lower(encode(r.body, 'escape'))::bytea) > 0)",
            [RawIdentifier.UNREADABLE, wanted],
        )
        bodies = cursor.rowcount
        cursor.execute(
            "UPDATE profiles_rejectedmessage SET payload = '{}', params = '{}', names = '{}'"
            " WHERE names @> ARRAY[%s]::bigint[]"
            " AND EXISTS (SELECT 1 FROM unnest(%s::text[]) v WHERE strpos(lower(payload::text), v) > 0)",
            [RawIdentifier.UNREADABLE, wanted],
        )
        return {"profiles_rawmessage": bodies, "profiles_rejectedmessage": cursor.rowcount}
