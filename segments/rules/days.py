"""The day of a stored date: of one with a time and a zone the day in the business time zone, else the day as written.

A time without a zone says what a clock on the wall said, so its day stands. So does that of a time which cannot be,
such as hour 25, and of years whose zones nobody keeps exactly.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any

from profiles.catalogue.types import DAY_PATTERN, is_day

_YEAR = "(19[7-9][0-9]|20[0-9]{2})"
_LEAP = "(197[26]|198[048]|199[26]|20([02468][048]|[13579][26]))"
_DATE = (
    f"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP}-02-29)"
)
_ZONE = "(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
#: a moment: nothing that it matches can fail to be cast
MOMENT_PATTERN = f"^{_DATE}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)? ?{_ZONE}$"
_MOMENT = re.compile(MOMENT_PATTERN)
_ZONE_AT_END = re.compile(f"{_ZONE}$")
TO_THE_MINUTE = 16  # characters: days begin on a whole minute everywhere


def day_of(stored: Any, zone: tzinfo) -> str | None:
    """Return the day of a stored value as text; None when it is no date."""
    if not isinstance(stored, str) or not is_day(stored):
        return None
    if len(stored) > TO_THE_MINUTE and _MOMENT.fullmatch(stored):
        found = _ZONE_AT_END.search(stored)
        moment = datetime.fromisoformat(stored[:TO_THE_MINUTE] + (found[0] if found else ""))
        return moment.astimezone(zone).date().isoformat()
    return stored[:10]


def _quoted(pattern: str) -> str:
    return "'" + pattern.replace("{", "{{").replace("}", "}}") + "'"


def is_day_sql(text: str) -> str:
    """Return the condition that an SQL text begins with a day; braces are doubled for `format`."""
    return f"{text} ~ {_quoted(DAY_PATTERN)}"


def day_sql(text: str) -> str:
    """Return the expression for the day of an SQL text that begins with one; `{zone}` is the business time zone."""
    moment = f"((left({text}, {TO_THE_MINUTE}) || substring({text} from {_quoted(_ZONE + '$')}))::timestamptz"
    return (
        f"(CASE WHEN length({text}) > {TO_THE_MINUTE} AND {text} ~ {_quoted(MOMENT_PATTERN)}"
        f" THEN to_char({moment} AT TIME ZONE {{zone}}), 'YYYY-MM-DD')"
        f' ELSE left({text}, 10) END COLLATE "C")'
    )
