"""What the catalogue knows to tell nothing of who somebody is: marked values, names of events that many people do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.db import connection

from cdp.common.arrays import texts
from cdp.common.masking import mask_text
from profiles.models import CatalogueEntry
from profiles.models.catalogue import PiiClass

#: an event of fewer people may have one of them in its name ("Order by Anna")
MANY = 10
#: of the newest occurrences of an event, people are counted in so many
LOOKED_AT = 300
#: names of the usual specification of events: they are the same everywhere
STANDARD = frozenset(
    f"{thing} {done}"
    for thing, deeds in {
        "Page": ("Viewed",),
        "Screen": ("Viewed",),
        "Product": ("Viewed", "Clicked", "Added", "Removed", "Shared", "Reviewed"),
        "Products": ("Searched",),
        "Product List": ("Viewed", "Filtered"),
        "Promotion": ("Viewed", "Clicked"),
        "Cart": ("Viewed", "Shared"),
        "Checkout": ("Started",),
        "Checkout Step": ("Viewed", "Completed"),
        "Payment Info": ("Entered",),
        "Order": ("Completed", "Updated", "Refunded", "Cancelled"),
        "Coupon": ("Entered", "Applied", "Denied", "Removed"),
        "Account": ("Created", "Deleted"),
        "Trial": ("Started", "Ended"),
        "Subscription": ("Started", "Renewed", "Cancelled", "Paused", "Resumed"),
        "Email": ("Opened", "Clicked", "Delivered", "Bounced"),
        "Application": ("Installed", "Opened", "Backgrounded", "Updated", "Uninstalled", "Crashed"),
        "Signed": ("Up", "In", "Out"),
    }.items()
    for done in deeds
) | {"Identified", "Group Joined", "Aliased", "Searched", "Newsletter Signup", "Added To Cart"}
_DIGITS = re.compile(r"\d{4,}")
_PEOPLE = (
    "SELECT n.event FROM unnest(%s::text[]) AS n(event), LATERAL ("
    "SELECT count(DISTINCT i.profile_id) AS people FROM (SELECT profile_id FROM profiles_interaction "
    "WHERE name = n.event ORDER BY occurred_at DESC LIMIT %s) AS i) AS c WHERE c.people >= %s"
)


def open_paths(event: str) -> Iterable[str]:
    """Return the paths of traits (`event` empty), or of an event's properties, that are marked as not personal."""
    return list(CatalogueEntry.objects.fields_of(event).filter(pii=PiiClass.OPEN).values_list("path", flat=True))


def shown_events(names: Sequence[str]) -> set[str]:
    """Return those of the names that everybody may read: usual ones, marked ones, and those that many people did."""
    marks = dict(CatalogueEntry.objects.events().filter(event__in=names).values_list("event", "pii"))
    shown = {name for name in names if marks.get(name) == PiiClass.OPEN or (name in STANDARD and not marks.get(name))}
    asked = [name for name in names if name not in shown and name in marks and not marks[name] and _is_plain(name)]
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(_PEOPLE, [texts(asked), LOOKED_AT, MANY])
            shown |= {name for (name,) in cursor.fetchall()}
    return shown


def _is_plain(name: str) -> bool:
    return mask_text(name) == name and _DIGITS.search(name) is None
