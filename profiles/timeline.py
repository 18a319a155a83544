"""A person's timeline: what profiles itself tells, and how the stories of all apps are resolved into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cdp.common import registry
from cdp.common.masking import Reader
from cdp.common.registry import TimelineEntry
from cdp.common.templatetags.kit import label, plain
from profiles.describing import (
    MAJOR,
    NAME_STARTS,
    campaign_of,
    describe,
    device_of,
    kind_of,
    without_masks,
)
from profiles.models import Interaction, Merge, Source, TraitChange
from profiles.models.identity import MergeState

#: more entries than this at one single moment are not shown
MOST_AT_ONCE = 500
INTERACTION_KINDS = {"web", *NAME_STARTS}


@dataclass(frozen=True)
class TimelinePage:
    """A stretch of the timeline, newest first. `older`: where the next stretch begins, None when there is none."""

    entries: list[TimelineEntry]
    older: datetime | None


def timeline_page(
    profile_id: int, *, before: datetime | None = None, size: int = 30, kinds: set[str] | None = None
) -> TimelinePage:
    """Return the `size` newest entries before a moment, over all providers.

    A page is cut between two different moments, so that asking on with `before` neither repeats nor misses an entry.
    """
    wanted = size
    while True:
        entries = _ask(profile_id, before, wanted + 1, kinds)
        if len(entries) <= wanted:
            return TimelinePage(entries, None)
        edge = entries[wanted].at
        page = [entry for entry in entries[:wanted] if entry.at > edge]
        if page:
            return TimelinePage(page, page[-1].at)
        if wanted >= MOST_AT_ONCE:
            return TimelinePage(entries[:wanted], edge)
        wanted *= 2


def _ask(profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None) -> list[TimelineEntry]:
    found: list[TimelineEntry] = []
    for provider in registry.timeline:
        found += [entry for entry in provider(profile_id, before, limit, kinds) if not kinds or entry.kind in kinds]
    return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]


def masked(entries: Sequence[TimelineEntry], reader: Reader) -> list[TimelineEntry]:
    """Return the entries as a reader may see them: without the permission no raw data, and nothing from outside."""
    if reader.sees_people:
        return list(entries)
    reader.events(entry.raw["event"] for entry in entries if entry.raw and "event" in entry.raw)  # all in one query
    return [_masked(entry, reader) for entry in entries]


def _masked(entry: TimelineEntry, reader: Reader) -> TimelineEntry:
    raw = entry.raw or {}
    title, detail, meta = entry.title, entry.detail, [str(part) for part in entry.meta]
    if "event" in raw:
        name, context = raw["event"], raw["context"] if isinstance(raw["context"], dict) else {}
        properties = reader.properties(name, raw["properties"] if isinstance(raw["properties"], dict) else {})
        title, detail = reader.event(name), describe(raw["type"], reader.event(name), without_masks(properties))
        campaign = campaign_of(context)
        meta = [part for part in meta if part != campaign]
    elif "trait" in raw:
        key = str(raw["trait"])
        detail = _from_to(reader.trait(key, raw.get("old")), reader.trait(key, raw.get("new")))
    shown = tuple(reader.text(part) for part in meta)
    return replace(entry, title=reader.text(title), detail=reader.text(detail), meta=shown, raw=None)


# What profiles tells -----------------------------------------------------------------------------------------------
def interactions(profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None) -> list[TimelineEntry]:
    """Tell what the person did. Reads only what is shown, by the primary key (profile_id, occurred_at, id)."""
    if kinds and not kinds & INTERACTION_KINDS:
        return []
    rows = Interaction.objects.filter(profile_id=profile_id)
    if before is not None:
        rows = rows.filter(occurred_at__lt=before)
    if kinds and not kinds >= INTERACTION_KINDS:
        rows = rows.filter(_names_of(kinds))
    found = list(
        rows.order_by("-occurred_at", "-id").values(
            "kind", "name", "properties", "context", "occurred_at", "received_at", "source_id", "message_id"
        )[:limit]
    )
    names = source_names({row["source_id"] for row in found})
    return [_interaction_entry(row, names) for row in found]


def _names_of(kinds: set[str]) -> Q:
    """Return the condition on names for the chips asked: `web` is whatever no other chip claims."""
    condition = Q()
    if "web" in kinds:
        for kind in set(NAME_STARTS) - kinds:
            condition &= ~_begins(kind)
        return condition
    for kind in kinds & set(NAME_STARTS):
        condition |= _begins(kind)
    return condition


def _begins(kind: str) -> Q:
    condition = Q()
    for start in NAME_STARTS[kind]:
        condition |= Q(name__startswith=start)
    return condition


def _interaction_entry(row: Mapping[str, Any], sources: Mapping[int, str]) -> TimelineEntry:
    context = row["context"] if isinstance(row["context"], dict) else {}
    properties = row["properties"] if isinstance(row["properties"], dict) else {}
    meta = [sources.get(row["source_id"], ""), device_of(context), campaign_of(context)]
    return TimelineEntry(
        at=row["occurred_at"],
        kind=kind_of(row["name"]),
        title=row["name"],
        detail=describe(row["kind"], row["name"], properties),
        major=row["name"] in MAJOR,
        meta=tuple(part for part in meta if part),
        raw={
            "type": row["kind"],
            "event": row["name"],
            "messageId": row["message_id"],
            "timestamp": row["occurred_at"].isoformat(),
            "receivedAt": row["received_at"].isoformat(),
            "properties": row["properties"],
            "context": row["context"],
        },
    )


def trait_changes(profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None) -> list[TimelineEntry]:
    """Tell which traits changed; those that changed at one moment for one cause are one entry."""
    if kinds and "change" not in kinds:
        return []
    rows = TraitChange.objects.filter(profile_id=profile_id)
    if before is not None:
        rows = rows.filter(at__lt=before)
    groups = list(
        rows.values("at", "cause", "source_id")
        .annotate(keys=ArrayAgg("key"), olds=ArrayAgg("old"), news=ArrayAgg("new"))
        .order_by("-at", "cause", "source_id")[:limit]
    )
    names = source_names({group["source_id"] for group in groups if group["source_id"]})
    return [_change_entry(group, names) for group in groups]


def _change_entry(group: Mapping[str, Any], sources: Mapping[int, str]) -> TimelineEntry:
    origin = sources.get(group["source_id"] or 0, "") or cause_label(group["cause"])
    keys = group["keys"]
    if len(keys) == 1:
        key, old, new = keys[0], group["olds"][0], group["news"][0]
        return TimelineEntry(
            at=group["at"],
            kind="change",
            title=_title(key, old, new),
            detail=_from_to(old, new),
            meta=(origin,) if origin else (),
            raw={"trait": key, "old": old, "new": new, "cause": group["cause"]},
        )
    return TimelineEntry(
        at=group["at"],
        kind="change",
        title=ngettext("%(count)d trait set", "%(count)d traits set", len(keys)) % {"count": len(keys)},
        detail=", ".join(label(key) for key in sorted(keys)[:8]) + ("…" if len(keys) > 8 else ""),
        meta=(origin,) if origin else (),
        raw={
            "traits": {
                key: {"old": old, "new": new} for key, old, new in zip(keys, group["olds"], group["news"], strict=True)
            },
            "cause": group["cause"],
        },
    )


def _title(key: str, old: Any, new: Any) -> str:
    name = label(key)
    if new is None:
        return _("%(trait)s removed") % {"trait": name}
    return (_("%(trait)s set") if old is None else _("%(trait)s changed")) % {"trait": name}


def _from_to(old: Any, new: Any) -> str:
    if old is None:
        return _("to %(new)s") % {"new": plain(new)}
    if new is None:
        return _("it was %(old)s") % {"old": plain(old)}
    return _("from %(old)s to %(new)s") % {"old": plain(old), "new": plain(new)}


def merges(profile_id: int, before: datetime | None, limit: int, kinds: set[str] | None) -> list[TimelineEntry]:
    """Tell with whom the person was merged, and which merges were undone."""
    if kinds and "change" not in kinds:
        return []
    rows = Merge.objects.filter(winner_id=profile_id, state__in=(MergeState.DONE, MergeState.UNDONE))
    if before is not None:
        rows = rows.filter(at__lt=before)
    found = rows.select_related("loser").only("at", "state", "moved", "cause", "undone_at", "loser__identified")
    return [_merge_entry(merge) for merge in found.order_by("-at")[:limit]]


def _merge_entry(merge: Merge) -> TimelineEntry:
    who = _("another known person") if merge.loser.identified else _("an anonymous visitor")
    count = len(merge.moved.get("identifiers", ())) if isinstance(merge.moved, dict) else 0
    along = ngettext("%(count)d device or address came along", "%(count)d devices or addresses came along", count) % {
        "count": count
    }
    undone = merge.state == MergeState.UNDONE
    return TimelineEntry(
        at=merge.at,
        kind="change",
        title=_("Merged with %(who)s") % {"who": who},
        detail=along if count else "",
        chip=_("undone") if undone else "",
        url="" if undone else "#merges",
    )


# Names -------------------------------------------------------------------------------------------------------------
def source_names(ids: Iterable[int]) -> dict[int, str]:
    """Return the names of sources by id, in one query."""
    wanted = set(ids)
    return dict(Source.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}


def cause_label(cause: str) -> str:
    """Write the cause of a change for a reader: `import:12` becomes `import 12`."""
    head, _colon, tail = cause.partition(":")
    words = {
        "identify": _("told by a source"),
        "import": _("import %(number)s") % {"number": tail},
        "manual": _("by hand"),
        "api": _("over the API"),
        "merge": _("through a merge"),
        "undo": _("through an undone merge"),
    }
    return words.get(head, cause)
