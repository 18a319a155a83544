"""Exports of people and of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from cdp.common.exports import Column, Described, ExportKind, filtered, plain_columns
from cdp.common.keyset import Order
from cdp.common.masking import Reader
from cdp.common.public_ids import derived_id
from cdp.common.registry import profile_parts
from profiles.api.answers import OWN_PARTS, all_parts, described
from profiles.api.context import shown_context
from profiles.filters import InteractionFilters, ProfileFilters
from profiles.models import CatalogueEntry, IdentifierKind, Interaction, Profile, Source

#: traits that get a column of their own in CSV, the most frequent first
MAX_TRAIT_COLUMNS = 300
PERSON_FIELDS = ("id", "display_name", "email", "identified", "first_seen_at", "last_seen_at", "updated_at")


def people_rows(filters: Mapping[str, str], reader: Any) -> QuerySet[Profile]:
    """Return the people of an export; whose data is restricted stays here."""
    return filtered(Profile.objects.usable().defer("search_text"), filters, ProfileFilters, reader)


def people(rows: Sequence[Profile], parts: Sequence[str], open_names: bool) -> list[Described]:
    """Return people as the API answers them."""
    return described(rows, open_names, parts)


def person_columns(parts: Sequence[str], open_names: bool) -> list[Column]:
    """Return the columns of people: a trait, and a kind of identifier, each have one."""
    columns = plain_columns(*PERSON_FIELDS)
    if "traits" in parts:
        reader = Reader.of(open_names)
        known = CatalogueEntry.objects.top_traits(MAX_TRAIT_COLUMNS)
        for name in dict.fromkeys(reader.key(name) for name, _people in known):
            columns.append(Column(heading=f"traits.{name}", value=partial(_trait, name)))
    if "identifiers" in parts:
        for kind in IdentifierKind.objects.order_by("priority").values_list("name", flat=True):
            columns.append(Column(heading=f"identifiers.{kind}", value=partial(_values, kind)))
    return columns + plain_columns(*(name for name in parts if name not in OWN_PARTS))


def _trait(name: str, row: Described) -> Any:
    return row["traits"].get(name)


def _values(kind: str, row: Described) -> str:
    return " | ".join(item["value"] for item in row["identifiers"] if item["kind"] == kind)


def part_permissions() -> dict[str, str]:
    """Return the permission that each part of another app needs."""
    return {name: part.permission for name, part in profile_parts.items()}


def event_rows(filters: Mapping[str, str], reader: Any) -> QuerySet[Interaction]:
    """Return the events of an export."""
    return filtered(Interaction.objects.all(), filters, InteractionFilters, reader)


def events(rows: Sequence[Interaction], _parts: Sequence[str], open_names: bool) -> list[Described]:
    """Return events with the person's id of today."""
    sources = dict(Source.objects.filter(pk__in={row.source_id for row in rows}).values_list("pk", "slug"))
    ids = dict(Profile.objects.filter(pk__in={row.profile_id for row in rows}).values_list("pk", "uuid"))
    reader = Reader.of(open_names)
    names = reader.events(row.name for row in rows)
    return [
        {
            "id": str(derived_id("interaction", sources.get(row.source_id, ""), row.message_id)),
            "occurred_at": row.occurred_at,
            "received_at": row.received_at,
            "kind": row.kind,
            "name": names[row.name],
            "profile_id": str(ids[row.profile_id]) if row.profile_id in ids else None,
            "source_id": sources.get(row.source_id, ""),
            "message_id": reader.message_id(row.message_id),
            "properties": reader.properties(row.name, row.properties),
            "context": shown_context(row.context, reader),
        }
        for row in rows
    ]


PEOPLE = ExportKind(
    label=_("People"),
    permission="profiles.export_profile",
    rows=people_rows,
    order=lambda: Order.of(Profile, "id"),
    describe=people,
    columns=person_columns,
    parts=all_parts,
    part_permissions=part_permissions,
)
EVENT_FIELDS = (
    "id", "occurred_at", "received_at", "kind", "name", "profile_id", "source_id", "message_id", "properties", "context"
)  # fmt: skip
EVENTS = ExportKind(
    label=_("Events"),
    permission="profiles.export_profile",
    rows=event_rows,
    order=lambda: Order.of(Interaction, "occurred_at", key=("id",)),
    describe=events,
    columns=lambda _parts, _open_names: plain_columns(*EVENT_FIELDS),
)
