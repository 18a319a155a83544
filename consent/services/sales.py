"""Record soft opt-ins from sales: as they come in, and once from the sales of the past when a purpose begins to ask."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from cdp.common.arrays import numbers
from cdp.common.models import DeadLetter
from cdp.common.queues import Run
from cdp.common.wake import wake
from consent.models import Basis, ConsentState, Purpose, SaleScan
from consent.policy.soft_opt_in import SoftOptIn, state_after_sale
from consent.policy.states import OBJECTED, SOFT_OPT_IN
from consent.services.entries import ConsentEntry
from consent.services.recording import record_consents
from profiles.changes import NewInteraction

TASK = "consent.record_sales"
BLOCK = 2_000
_ORDER_IDS = ("order_id", "orderId", "order_number")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sale:
    """A sale as far as permission is concerned."""

    profile_id: int
    identifier_id: int
    source_id: int
    message_id: str
    at: datetime
    refused: bool
    order: str


def purposes_on_sales() -> list[tuple[Purpose, SoftOptIn]]:
    """Return the purposes that rest on soft opt-in, with their facts."""
    rows = Purpose.objects.filter(active=True, basis=Basis.SOFT_OPT_IN)
    found = [(row, SoftOptIn.from_json(row.soft_opt_in)) for row in rows]
    return [(row, facts) for row, facts in found if facts is not None]


def record_sales(interactions: Sequence[NewInteraction]) -> None:
    """Record what new sales of trusted sources mean for permission, in the caller's transaction."""
    names = {item.name for item in interactions if item.trusted and item.kind == "track"}
    if not names:
        return
    for purpose, facts in purposes_on_sales():
        if facts.event not in names:
            continue
        begin = facts.begin(ZoneInfo(settings.BUSINESS_TIME_ZONE))
        sales = [
            _sale_of(item, facts)
            for item in interactions
            if item.trusted and item.kind == "track" and item.name == facts.event and item.occurred_at >= begin
        ]
        record_consents(entries_of(purpose, facts, sales), tell=False)


def _sale_of(item: NewInteraction, facts: SoftOptIn) -> Sale:
    return Sale(
        profile_id=item.profile_id,
        identifier_id=item.identifier_id,
        source_id=item.source_id,
        message_id=item.message_id,
        at=item.occurred_at,
        refused=facts.is_refusal(item.properties),
        order=next((str(item.properties[key])[:100] for key in _ORDER_IDS if item.properties.get(key)), ""),
    )


def entries_of(purpose: Purpose, facts: SoftOptIn, sales: Iterable[Sale]) -> list[ConsentEntry]:
    """Return what to record for the sales of some people, in the order of time."""
    ordered = sorted(sales, key=lambda sale: (sale.at, sale.message_id))
    people = {sale.profile_id for sale in ordered}
    rows = ConsentState.objects.filter(profile_id__in=people, purpose=purpose)
    held = {(row.profile_id, row.channel): (row.state, row.since) for row in rows}
    objected = set(
        ConsentState.objects.filter(profile_id__in=people, purpose__is_marketing=True, state=OBJECTED).values_list(
            "profile_id", flat=True
        )
    )
    entries = []
    for sale in ordered:
        for channel in purpose.channels:
            state, since = held.get((sale.profile_id, channel), ("", None))
            after = state_after_sale(refused=sale.refused, at=sale.at, held=state, since=since)
            if not after or (after == SOFT_OPT_IN and sale.profile_id in objected):
                continue
            held[sale.profile_id, channel] = (after, sale.at)
            entries.append(_entry(purpose, facts, sale, channel, after))
    return entries


def _entry(purpose: Purpose, facts: SoftOptIn, sale: Sale, channel: str, state: str) -> ConsentEntry:
    return ConsentEntry(
        profile_id=sale.profile_id,
        identifier_id=sale.identifier_id,
        purpose_id=purpose.pk,
        channel=channel,
        state=state,
        method="event",
        actor=f"source:{sale.source_id}",
        source_id=sale.source_id,
        evidence={
            "event": facts.event,
            "order": sale.order,
            "refusal_offered": facts.offered_how,
            "proof": f"{facts.event} {sale.order or sale.message_id}",
        },
        occurred_at=sale.at,
        reference=f"message:{sale.message_id}",
    )


# The sales of the past ---------------------------------------------------------------------------------------------
def scan_sales(purpose: Purpose) -> None:
    """Ask for the sales of the past to be gone through, from the first person on."""
    SaleScan.objects.update_or_create(
        purpose=purpose, defaults={"person": 0, "recorded": 0, "started_at": timezone.now(), "finished_at": None}
    )
    wake(TASK)


_PEOPLE = """
SELECT id FROM profiles_profile
WHERE id > %s AND merged_into_id IS NULL AND erased_at IS NULL ORDER BY id LIMIT %s
"""
_SALES = """
SELECT e.profile_id, e.identifier_id, e.source_id, e.message_id, e.occurred_at, (e.properties -> %s)::text,
       coalesce(e.properties ->> 'order_id', e.properties ->> 'orderId', e.properties ->> 'order_number', '')
FROM profiles_interaction e JOIN profiles_source o ON o.id = e.source_id AND o.kind <> 'browser'
WHERE e.profile_id = ANY(%s::bigint[]) AND e.kind = 'track' AND e.name = %s AND e.occurred_at >= %s
"""


@transaction.atomic
def scan_block(scan: SaleScan) -> bool:
    """Go through the sales of the next people; return whether there was anybody left."""
    scan = SaleScan.objects.select_for_update().select_related("purpose").get(pk=scan.pk)
    facts = SoftOptIn.from_json(scan.purpose.soft_opt_in)
    people = [] if facts is None or scan.purpose.basis != Basis.SOFT_OPT_IN else _people_after(scan.person)
    if not people or facts is None:
        scan.finished_at = timezone.now()
        scan.save(update_fields=["finished_at"])
        return False
    ids = record_consents(entries_of(scan.purpose, facts, _sales_of(people, facts)))
    scan.person, scan.recorded = people[-1], scan.recorded + len(ids)
    scan.save(update_fields=["person", "recorded"])
    return True


def _people_after(person: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [person, BLOCK])
        return [row[0] for row in cursor.fetchall()]


def _sales_of(people: list[int], facts: SoftOptIn) -> list[Sale]:
    with connection.cursor() as cursor:
        cursor.execute(
            _SALES,
            [facts.refused_property, numbers(people), facts.event, facts.begin(ZoneInfo(settings.BUSINESS_TIME_ZONE))],
        )
        return [
            Sale(
                profile_id=profile_id,
                identifier_id=identifier_id,
                source_id=source_id,
                message_id=message_id,
                at=at,
                refused=facts.is_refusal({facts.refused_property: json.loads(refused) if refused else None}),
                order=order[:100],
            )
            for profile_id, identifier_id, source_id, message_id, at, refused, order in cursor.fetchall()
        ]


def work_scans(run: Run) -> int:
    """Go on with the scans that wait; return how many were worked at."""
    waiting = list(SaleScan.objects.filter(finished_at=None).order_by("started_at", "pk"))
    for scan in waiting:
        while scan_block(scan):
            if not run.goes_on:
                return len(waiting)
    return len(waiting)


def scans_waiting() -> tuple[int, float | None]:
    """Return how many scans wait or are under way, and for how long the first has."""
    begun = list(SaleScan.objects.filter(finished_at=None).order_by("started_at").values_list("started_at", flat=True))
    return len(begun), (timezone.now() - begun[0]).total_seconds() if begun else None


def retry_scan(_letter: DeadLetter) -> None:
    """Do nothing: a scan that waits is taken up by every run, and never becomes a dead letter."""
