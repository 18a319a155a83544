"""Small helpers that make segments with members, messages and campaigns."""

from __future__ import annotations

import itertools
from typing import Any

from django.utils import timezone

from campaigns.models import Campaign, Message
from campaigns.services.campaigns import Plan, create_campaign
from campaigns.services.messages import Content, create_message
from consent.models import Purpose
from profiles.models import Profile
from segments.models import Membership, Segment, SegmentVersion
from tests.consent.factories import person, purpose, say

_numbers = itertools.count(1)
BODY = 'Hi {{ person.first_name | default: "there" }}, this is **news**. [Read](https://shop.example/)'


def segment(*people: Profile, name: str = "") -> Segment:
    """Make a live segment with these members, its rule aside."""
    number = next(_numbers)
    row = Segment.objects.create(
        name=name or f"Segment {number}", slug=f"segment-{number}", refreshed_at=timezone.now()
    )
    version = SegmentVersion.objects.create(segment=row, number=1, rule={"type": "everyone"}, sentence="Everyone")
    row.current_version = version
    row.save()
    Membership.objects.bulk_create(
        Membership(profile_id=one.pk, segment=row, version=version, since=timezone.now()) for one in people
    )
    return row


def content(**fields: Any) -> Content:
    """Return a message as a marketer writes it."""
    given = {"subject": "News", "body": BODY, "from_name": "Shop", "from_email": "hello@shop.example", **fields}
    return Content(**given)


def message(name: str = "News", **fields: Any) -> Message:
    """Make a message."""
    return create_message(name=name, content=content(**fields), actor=None)


def readers(count: int, of: Purpose, *, prefix: str = "reader", **fields: Any) -> list[Profile]:
    """Make people who gave their permission."""
    people = [
        person(f"{prefix}-{number}@klantbeeld.example", traits={"first_name": f"Reader{number}"}, **fields)
        for number in range(count)
    ]
    for one in people:
        say(one, of, "given")
    return people


def campaign(*people: Profile, of: Purpose | None = None, text: Message | None = None, **fields: Any) -> Campaign:
    """Make a draft to these people."""
    return create_campaign(
        plan=Plan(
            name=fields.pop("name", "Autumn sale"),
            purpose_id=(of or purpose()).pk,
            segment_id=segment(*people).pk,
            message_id=(text or message()).pk,
            **fields,
        ),
        actor=None,
    )
