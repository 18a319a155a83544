"""Set how long a class of data is kept."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from cdp.common.models import RetentionPeriod
from cdp.common.retention import DataClass, period_of, retention


@transaction.atomic
def set_period(*, name: str, days: int | None, request: Any = None, actor: Any = None) -> RetentionPeriod:
    """Keep a class of data for so many days (None: without end); the next nightly run goes by it.

    Raises CdpError `retention.unknown`, `retention.out_of_range` or `retention.needed`.
    """
    data = find_class(name)
    _check_range(data, days)
    _check_others(name, data, days)
    user = actor if actor is not None else getattr(request, "user", None)
    before = period_of(name)
    row, _made = RetentionPeriod.objects.update_or_create(
        name=name,
        defaults={
            "days": days,
            "changed_at": timezone.now(),
            "changed_by": user.get_username() if user is not None else "system",
        },
    )
    record_access(
        request=request,
        actor=actor,
        action="retention.changed",
        object_kind="retention",
        object_id=name,
        detail={"from_days": before, "to_days": days},
    )
    return row


def find_class(name: str) -> DataClass:
    """Return a class whose period can be set here."""
    found = dict(retention.items()).get(name)
    if found is None or found.own_periods:
        raise CdpError("retention.unknown", _("There is no such kind of data."), status=404)
    return found


def _check_range(data: DataClass, days: int | None) -> None:
    if days is None:
        if not data.may_keep:
            raise CdpError("retention.out_of_range", _("This may not be kept without end."), place="days")
        return
    if not data.minimum_days <= days <= data.maximum_days:
        raise CdpError(
            "retention.out_of_range",
            _("Choose from %(least)s to %(most)s days.") % {"least": data.minimum_days, "most": data.maximum_days},
            place="days",
        )


def _check_others(name: str, data: DataClass, days: int | None) -> None:
    """Refuse a period that leaves this class, or another, without what it needs."""
    if data.at_most:
        other = period_of(data.at_most)
        if other is not None and (days is None or days > other):
            raise CdpError(
                "retention.needed",
                _("Not longer than “%(other)s”, which are kept for %(days)s days and are needed with it.")
                % {"other": retention.get(data.at_most).label, "days": other},
                place="days",
            )
    for other_name, needing in retention.items():
        if needing.at_most != name or days is None:
            continue
        other = period_of(other_name)
        if other is None or other > days:
            raise CdpError(
                "retention.needed",
                _("Not shorter than “%(other)s”, which are kept for %(days)s days and need it.")
                % {"other": needing.label, "days": other},
                place="days",
            )
