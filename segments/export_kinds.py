"""The export of a segment's members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.errors import CdpError
from cdp.common.exports import Described, ExportKind, export_kinds, plain_columns, unknown_filter
from cdp.common.keyset import Order
from profiles.models import Profile
from segments.models import Membership, Segment


def _people() -> ExportKind:
    return export_kinds.get("people")


def member_rows(filters: Mapping[str, str], _reader: Any) -> QuerySet[Membership]:
    """Return the members of the segment that the filters name."""
    if unknown := sorted(set(filters) - {"segment_id"}):
        raise unknown_filter(unknown[0])
    segment = Segment.objects.filter(slug=filters.get("segment_id", "")).first()
    if segment is None:
        raise CdpError(
            "segment.unknown", _("Name a segment that there is, as `segment_id`."), place="filters.segment_id"
        )
    return Membership.objects.filter(segment_id=segment.pk)


def members(rows: Sequence[Any], parts: Sequence[str], open_names: bool) -> list[Described]:
    """Return members with the person; whose data is restricted stays here."""
    entered = {row.profile_id: row.since for row in rows}
    people = list(Profile.objects.usable().defer("search_text").filter(pk__in=entered).order_by("pk"))
    described = _people().describe(people, parts, open_names)
    return [{"entered_at": entered[person.pk], **answer} for person, answer in zip(people, described, strict=True)]


MEMBERS = ExportKind(
    label=gettext_lazy("Members of a segment"),
    permission="segments.export_segment",
    rows=member_rows,
    order=lambda: Order.of(Membership, "profile_id", key=("profile_id",)),
    describe=members,
    columns=lambda parts, open_names: plain_columns("entered_at") + _people().columns(parts, open_names),
    parts=lambda: _people().parts(),
    part_permissions=lambda: _people().part_permissions(),
)
