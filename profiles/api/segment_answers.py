"""The answers of Segment's Profile API, field by field as theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.exceptions import ValidationError

from cdp.common.exports import json_time
from cdp.common.keyset import Order, keyset_page
from cdp.common.masking import Reader
from cdp.common.registry import profile_parts
from profiles.api.context import shown_context
from profiles.models import Identifier, Interaction, PersonChange, Profile, Source

#: they document 10 by default, and up to 200 traits or 100 of all else
DEFAULT_LIMIT, MAX_TRAITS, MAX_ROWS, MAX_LINKS = 10, 200, 100, 20
#: messages that name a group, the newest, among which the links are found
GROUP_MESSAGES = 1_000


@dataclass(frozen=True)
class Asked:
    """The query of a request and the address of its list."""

    query: Mapping[str, str]
    path: str

    def limit(self, most: int, default: int = DEFAULT_LIMIT) -> int:
        """Return how many items a page has."""
        text = self.query.get("limit", "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most:
            raise ValidationError(f"The parameter `limit` must be between 1 and {most}.")
        return int(text)

    def names(self, parameter: str) -> set[str]:
        """Return the names of a parameter with commas between them."""
        return {name.strip() for name in self.query.get(parameter, "").split(",") if name.strip()}

    def flag(self, parameter: str) -> bool:
        """Tell whether a parameter says yes."""
        return self.query.get(parameter, "").lower() in ("true", "1")

    def moment(self, parameter: str) -> datetime | None:
        """Return a time or day of the query; None when it is not there."""
        text = self.query.get(parameter, "")
        if not text:
            return None
        try:
            found = parse_datetime(text) or parse_date(text)
        except ValueError:
            found = None
        if isinstance(found, date) and not isinstance(found, datetime):
            found = datetime.combine(found, time())
        if found is None:
            raise ValidationError(f"The parameter `{parameter}` must be a time of ISO 8601.")
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def cursor(self, following: str, limit: int) -> dict[str, Any]:
        """Return the cursor of a page."""
        kept = {name: value for name, value in self.query.items() if name != "next"}
        query = urlencode(kept | {"next": following}) if following else ""
        url = f"{self.path}?{query}" if query else self.path
        return {"url": url, "has_more": bool(following), "next": following, "limit": limit}


def traits(person: Profile, asked: Asked) -> dict[str, Any]:
    """Return traits, and as true the segments that the person is in, by name."""
    limit, wanted, kind = asked.limit(MAX_TRAITS), asked.names("include"), asked.query.get("class", "")
    if kind not in ("", "audience", "computed_trait"):
        raise ValidationError("The parameter `class` must be audience or computed_trait.")
    found: dict[str, Any] = {}
    if kind in ("", "audience"):
        found = {row["id"]: (True, None, row["entered_at"]) for row in _segments(person)}
    if not kind:
        for name, value in person.traits.items():
            origin = person.origins.get(name) or {}
            found[name] = (value, origin.get("s"), origin.get("t"))
    names = sorted(name for name in found if not wanted or name in wanted)
    after = asked.query.get("next", "")
    rest = [name for name in names if name >= after] if after else names
    page, following = rest[:limit], rest[limit] if len(rest) > limit else ""
    if asked.flag("verbose"):
        sources = _slugs({found[name][1] for name in page})
        shown = {
            name: {
                "value": found[name][0],
                "source_id": sources.get(found[name][1], ""),
                "updated_at": json_time(found[name][2] or ""),
            }
            for name in page
        }
    else:
        shown = {name: found[name][0] for name in page}
    return {"traits": shown, "cursor": asked.cursor(following, limit)}


def _segments(person: Profile) -> list[dict[str, Any]]:
    return profile_parts.get("segments").values([person.pk]).get(person.pk, [])


def external_ids(person: Profile, asked: Asked) -> dict[str, Any]:
    """Return the identifiers."""
    limit, kinds = asked.limit(MAX_ROWS), asked.names("include")
    rows = Identifier.objects.filter(profile_id=person.pk).defer("assertions")
    if kinds:
        rows = rows.filter(kind__in=kinds)
    page = keyset_page(rows, order=Order.of(Identifier, "id"), cursor=asked.query.get("next", ""), size=limit)
    sources = _slugs({row.source_id for row in page.rows})
    data = [
        {
            "source_id": sources.get(row.source_id, ""),
            "collection": "users",
            "id": row.value,
            "type": row.kind,
            "created_at": row.first_seen_at,
            "encoding": "none",
            "first_message_id": "",
        }
        for row in page.rows
    ]
    return {"data": data, "cursor": asked.cursor(page.next, limit)}


def events(person: Profile, asked: Asked) -> dict[str, Any]:
    """Return what the person did, the newest first unless asked otherwise."""
    limit, upwards = asked.limit(MAX_ROWS), asked.query.get("sort", "desc") == "asc"
    if asked.query.get("sort", "desc") not in ("asc", "desc"):
        raise ValidationError("The parameter `sort` must be asc or desc.")
    rows = Interaction.objects.filter(profile_id=person.pk)
    if (start := asked.moment("start")) is not None:
        rows = rows.filter(occurred_at__gte=start)
    if (end := asked.moment("end")) is not None:
        rows = rows.filter(occurred_at__lt=end)
    if wanted := asked.names("include"):
        rows = rows.filter(name__in=wanted)
    if unwanted := asked.names("exclude"):
        rows = rows.exclude(name__in=unwanted)
    order = Order.of(Interaction, "occurred_at" if upwards else "-occurred_at", key=("id",))
    page = keyset_page(rows, order=order, cursor=asked.query.get("next", ""), size=limit)
    sources = _slugs({row.source_id for row in page.rows})
    known = Identifier.objects.in_bulk({row.identifier_id for row in page.rows})
    data = [_event(row, person, known.get(row.identifier_id), sources) for row in page.rows]
    return {"data": data, "cursor": asked.cursor(page.next, limit)}


def _event(row: Interaction, person: Profile, by: Identifier | None, sources: Mapping[int, str]) -> dict[str, Any]:
    ids = [{"collection": "users", "type": by.kind, "id": by.value, "encoding": "none"}] if by is not None else []
    return {
        "external_ids": ids,
        "context": shown_context(row.context, Reader.of(True)),
        "type": row.kind,
        "message_id": row.message_id,
        "source_id": sources.get(row.source_id, ""),
        "timestamp": row.occurred_at,
        "properties": row.properties,
        "event": row.name,
        "related": {"users": str(person.uuid)},
    }


def metadata(person: Profile, _asked: Asked) -> dict[str, Any]:
    """Return since when the person is known, and by which messages."""
    rows = Interaction.objects.filter(profile_id=person.pk)
    first, last = rows.order_by("occurred_at", "id").first(), rows.order_by("-occurred_at", "-id").first()
    place = PersonChange.objects.filter(pk=person.pk).values_list("changed_at", flat=True).first()
    sources = _slugs({row.source_id for row in (first, last) if row is not None})
    return {
        "metadata": {
            "created_at": person.first_seen_at,
            "updated_at": max(filter(None, (place, person.last_seen_at, person.first_seen_at))),
            "expires_at": None,
            "first_message_id": first.message_id if first else "",
            "first_source_id": sources.get(first.source_id, "") if first else "",
            "last_message_id": last.message_id if last else "",
            "last_source_id": sources.get(last.source_id, "") if last else "",
        }
    }


def links(person: Profile, asked: Asked) -> dict[str, Any]:
    """Return the groups that the person joined, the latest first."""
    limit = asked.limit(MAX_LINKS, MAX_LINKS)
    rows = Interaction.objects.filter(profile_id=person.pk, kind="group").order_by("-occurred_at", "-id")
    found: dict[str, Interaction] = {}
    for row in rows[:GROUP_MESSAGES]:
        if group := row.properties.get("group_id"):
            found[str(group)] = row  # the earliest stays: since then they are linked
    chosen = list(found.items())[:limit]
    sources = _slugs({row.source_id for _group, row in chosen})
    return {
        "data": [
            {
                "to_collection": "accounts",
                "external_ids": [
                    {
                        "id": group,
                        "type": "group_id",
                        "source_id": sources.get(row.source_id, ""),
                        "collection": "accounts",
                        "created_at": row.occurred_at,
                        "encoding": "none",
                    }
                ],
            }
            for group, row in chosen
        ]
    }


def _slugs(ids: set[Any] | Sequence[Any]) -> dict[Any, str]:
    return dict(Source.objects.filter(pk__in=[id for id in ids if id]).values_list("pk", "slug"))
