"""Process one block: what a number of stored bodies bring, in one transaction that either happens or does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.db import transaction

from cdp.common.faults import Prepare
from profiles import partitions
from profiles.catalogue.store import new_tally, recorder
from profiles.changes import Change, NewInteraction, announce, change_handlers
from profiles.identity.traits import Slots, assert_traits, merge_into, slot_of, stamp
from profiles.messages.cutting import cut, names_by_item
from profiles.messages.model import Erased, Message, Origin, Rejection, Rules
from profiles.messages.reading import read_body
from profiles.processing import store
from profiles.processing.claim import Entry, RawBody, fitting, load_bodies
from profiles.processing.left_out import count_left_out
from profiles.processing.sources import SourceInfo, load_rules, load_sources
from profiles.processing.store import RejectedRow, SeenKey, Tally
from profiles.resolution import people
from profiles.resolution.resolve import Observation, Resolved, resolve
from profiles.resolution.rows import Pair, find_identifiers
from profiles.tombstones import find_erased

Place = tuple[int, int]  # raw id, position within the body
#: kinds of message that are something a person does; a group or an alias is bookkeeping
ACTIVITY = frozenset({"track", "page", "screen", "identify"})


class PartitionsMissing(Prepare):
    """Events of months, or names of days, that have no partition yet: made first, in a transaction of their own."""

    def __init__(self, months: set[date], days: set[date]) -> None:
        super().__init__(f"{len(months)} months and {len(days)} days")
        self.months, self.days = months, days

    def prepare(self) -> None:
        """Make the partitions."""
        partitions.ensure_months(self.months)
        partitions.ensure_days(self.days)


@dataclass(slots=True)
class Item:
    """A message on its way, with where it came from."""

    message: Message
    origin: Origin
    tie: str


@dataclass(slots=True)
class Work:
    """A block between reading and writing."""

    items: list[Item] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    bodies: dict[int, RawBody] = field(default_factory=dict)  # by raw id
    names: dict[int, set[Pair]] = field(default_factory=lambda: defaultdict(set))  # whom each of them names
    tallies: dict[tuple[int, datetime], Tally] = field(default_factory=lambda: defaultdict(Tally))

    def tally(self, source_id: int, received_at: datetime) -> Tally:
        """Return the counts of a source in an hour."""
        return self.tallies[(source_id, received_at.replace(minute=0, second=0, microsecond=0))]

    def reject(self, item: Item, code: str, params: Mapping[str, Any] | None = None, payload: object = None) -> None:
        """Put a message that was read well on the rejected list."""
        origin, message = item.origin, item.message
        self.rejected.append(
            RejectedRow(
                origin.source_id,
                origin.received_at,
                origin.raw_id,
                message.position,
                message.message_id,
                code,
                params or {},
                payload if payload is not None else {},
                message.names,
            )
        )


@transaction.atomic
def process_entries(entries: Sequence[Entry], *, skip: Mapping[Place, str] | None = None) -> list[Entry]:
    """Process claimed entries, as many as fit a block, and return these; the caller deletes them.

    `skip` names messages that may not be stored, with the reason: they go to the rejected list.
    """
    chosen = fitting(entries)
    rules, sources = load_rules(), load_sources()
    work = read_bodies(load_bodies(chosen), rules, sources)
    for item in [item for item in work.items if skip and (item.origin.raw_id, item.message.position) in skip]:
        work.items.remove(item)
        reason = (skip or {})[(item.origin.raw_id, item.message.position)]
        work.reject(item, "not_storable", {"error": reason}, {"event": item.message.name})
    require_partitions(work)
    drop_erased(work, rules)
    note_names(work)
    drop_known(work)
    for row in work.rejected:
        work.tally(row.source_id, row.received_at).rejected += 1
    for item in work.items:
        work.tally(item.origin.source_id, item.origin.received_at).stored += 1
    store_items(work.items, rules, sources)
    store.write_rejected(work.rejected)
    count_left_out(
        (item.origin.source_id, code, place, item.origin.received_at)
        for item in work.items
        for place, code in item.message.left_out
    )
    store.add_to_counters(work.tallies)
    return chosen


def read_bodies(bodies: Sequence[RawBody], rules: Rules, sources: Mapping[int, SourceInfo]) -> Work:
    """Read every message of these bodies; what cannot be stored is noted with its reason."""
    work = Work()
    for raw in bodies:
        entry = raw.entry
        source = sources.get(entry.source_id)
        work.bodies[entry.raw_id] = raw
        if source is None:  # the source was deleted, and its counters with it; the body is kept for its time
            work.names[entry.raw_id].update(*names_by_item(raw.body, raw.endpoint, rules))
            continue
        received_at = entry.received_at.astimezone(UTC)
        origin = Origin(source.id, source.trusted, received_at, entry.raw_id, raw.endpoint)
        for result in read_body(raw.body, origin, rules):
            if isinstance(result, Erased):
                work.tally(source.id, received_at).erased += 1
                continue
            work.names[entry.raw_id] |= result.names
            if isinstance(result, Rejection):
                work.rejected.append(
                    RejectedRow(
                        source.id,
                        received_at,
                        entry.raw_id,
                        result.position,
                        result.message_id,
                        result.code,
                        result.params,
                        result.payload if result.payload is not None else {},
                        result.names,
                        result.readable,
                    )
                )
            else:
                work.items.append(Item(result, origin, result.key.hex()))
    return work


def require_partitions(work: Work) -> None:
    """Raise PartitionsMissing when events, or the names in bodies, fall in times without a partition."""
    months = {(item.message.occurred_at.year, item.message.occurred_at.month) for item in work.items}
    no_month = partitions.wanted_months({date(year, month, 1) for year, month in months})
    no_day = partitions.wanted_days({raw.entry.received_at.astimezone(UTC).date() for raw in work.bodies.values()})
    if no_month or no_day:
        raise PartitionsMissing(no_month, no_day)


def drop_known(work: Work) -> None:
    """Drop messages whose id counted before, here or in an earlier block; the first one stays (A13, A14)."""
    first: dict[bytes, Item] = {}
    repeated: list[Item] = []
    for item in work.items:
        if first.setdefault(item.message.key, item) is not item:
            repeated.append(item)
    new, known = store.count_once(
        [SeenKey(key, item.message.digest, item.origin.received_at) for key, item in first.items()]
    )
    if not repeated and not known:
        return
    for item in [*repeated, *(item for key, item in first.items() if key not in new)]:
        tally = work.tally(item.origin.source_id, item.origin.received_at)
        tally.duplicate += 1
        key = item.message.key
        if item.message.digest != known.get(key, first[key].message.digest):
            tally.conflicting += 1
    work.items = [item for key, item in first.items() if key in new]


def drop_erased(work: Work, rules: Rules) -> None:
    """Leave out what names an erased person, rejected or not, and cut it out of the stored bodies: it came late."""
    gone = find_erased(set().union(*work.names.values()))
    if not gone:
        return
    kept: list[Item] = []
    for item in work.items:
        if gone.isdisjoint(item.message.names):
            kept.append(item)
        else:
            work.tally(item.origin.source_id, item.origin.received_at).erased += 1
    for row in work.rejected:
        if not gone.isdisjoint(row.names):
            work.tally(row.source_id, row.received_at).erased += 1
    work.items = kept
    work.rejected = [row for row in work.rejected if gone.isdisjoint(row.names)]
    late = [work.bodies[raw_id] for raw_id in sorted(work.names) if not gone.isdisjoint(work.names[raw_id])]
    store.rewrite_bodies([(raw.entry, cut(raw.body, raw.endpoint, rules, gone.isdisjoint)) for raw in late])
    for raw in late:
        work.names[raw.entry.raw_id] -= gone


def note_names(work: Work) -> None:
    """Note whom each body names, and which cannot be read: an erasure will look for them."""
    unreadable = {row.raw_id for row in work.rejected if not row.readable}
    store.note_names(
        (raw.entry.received_at, raw_id, digest)
        for raw_id, raw in work.bodies.items()
        for digest in store.name_digests(work.names.get(raw_id, ()), readable=raw_id not in unreadable)
    )


def store_items(items: Sequence[Item], rules: Rules, sources: Mapping[int, SourceInfo]) -> None:
    """Resolve who these messages are about, store what they did and assertions, and tell the other apps."""
    if not items:
        return
    assertions = _assertions_of(items)
    resolved = resolve(_observations(items), rules.kinds, assertions=assertions, asked=True)
    interactions = _interactions(items, resolved)
    spans, profile_spans = _spans(items, resolved)
    created_ids = resolved.created_profile_ids
    people.touch(spans, {id: span for id, span in profile_spans.items() if id not in created_ids})
    written = people.write(resolved, assertions, at=items[0].origin.received_at)
    announce(
        Change(
            profile_ids=profile_spans.keys() | written.profile_ids,
            cause="collect",
            interactions=interactions,
            moved=resolved.moves,
            created_profile_ids=set(created_ids),
        )
    )


def _assertions_of(items: Sequence[Item]) -> dict[Pair, dict[str, Slots]]:
    """Return what identify messages say, under the identifier that each hangs on."""
    assertions: dict[Pair, dict[str, Slots]] = {}
    for item in items:
        traits = item.message.traits
        if not traits:
            continue
        origin = item.origin
        merge_into(
            assertions.setdefault(item.message.identifiers[0], {}),
            assert_traits(
                traits,
                slot=slot_of(origin.source_id, trusted=origin.trusted),
                # A clock that runs ahead must not make a value last: it counts from the receipt at the latest.
                at=stamp(min(item.message.occurred_at, origin.received_at)),
                tie=item.tie,
                cause="identify",
            ),
        )
    return assertions


def _observations(items: Sequence[Item]) -> list[Observation]:
    previous = _previous_users(items)
    return [
        Observation(
            (*item.message.identifiers, *previous.get(item.message.key, ())),
            item.message.occurred_at,
            item.tie,
            item.origin.source_id,
            item.origin.trusted,
            active=item.message.kind in ACTIVITY,
        )
        for item in items
    ]


def _previous_users(items: Sequence[Item]) -> dict[bytes, tuple[Pair, ...]]:
    """Return, by message key, the user id that the previous id of an alias is, if it is known as one."""
    previous = {
        item.message.key: ("user_id", str(item.message.properties["previous_id"]))
        for item in items
        if item.message.kind == "alias"
    }
    known = find_identifiers(set(previous.values())) if previous else {}
    named = {item.message.key: item.message.identifiers for item in items if item.message.key in previous}
    return {key: (pair,) for key, pair in previous.items() if pair in known and pair not in named[key]}


def _interactions(items: Sequence[Item], resolved: Resolved) -> list[NewInteraction]:
    """Write the interactions; return them as news when any app listens."""
    identifiers = resolved.identifiers
    lines = []
    news: list[NewInteraction] = []
    listened = bool(list(change_handlers.items()))
    times: dict[datetime, str] = {}
    tally = new_tally()
    for item in items:
        message, origin = item.message, item.origin
        tally.event(message.name, message.properties, at=message.occurred_at, source_id=origin.source_id)
        row = identifiers[message.identifiers[0]]
        received = times.get(origin.received_at) or times.setdefault(origin.received_at, origin.received_at.isoformat())
        lines.append(
            store.interaction_line(
                row.profile_id,
                row.id,
                message.occurred_at,
                received,
                message.kind,
                message.name,
                message.properties,
                message.context,
                origin.source_id,
                message.message_id,
            )
        )
        if listened:
            news.append(
                NewInteraction(
                    profile_id=row.profile_id,
                    identifier_id=row.id,
                    kind=message.kind,
                    name=message.name,
                    occurred_at=message.occurred_at,
                    properties=message.properties,
                    context=message.context,
                    source_id=origin.source_id,
                    trusted=origin.trusted,
                    message_id=message.message_id,
                )
            )
    store.copy_interactions(lines)
    recorder.record(tally)
    return news


def _spans(items: Sequence[Item], resolved: Resolved) -> tuple[people.Spans, people.Spans]:
    """Return since when each known identifier, and each person, is known, and when they were last active, by id."""
    spans: people.Spans = {}
    profiles: people.Spans = {}
    for item in items:
        at = item.message.occurred_at
        active = item.message.kind in ACTIVITY
        for pair in item.message.identifiers:
            row = resolved.identifiers.get(pair)
            if row is None:  # beyond the person's limit, and nothing hangs on it
                continue
            for table, id in ((spans, row.id), (profiles, row.profile_id)):
                first, last = table.get(id) or (at, None)
                table[id] = (min(first, at), max(last or at, at) if active else last)
    return spans, profiles
