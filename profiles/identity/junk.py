"""Values that stand for nobody. Used as an identifier they would join strangers, so they are never one.

The base is what other platforms learnt the hard way (the blocked values of PostHog and Segment); placeholders of
templates that were never filled in and mailboxes that belong to a function are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NOBODY = frozenset(
    {
        "",
        "-1",
        "[object object]",
        "anon",
        "anonymous",
        "blank",
        "default",
        "distinct_id",
        "distinctid",
        "email",
        "empty",
        "false",
        "guest",
        "id",
        "inf",
        "infinity",
        "n/a",
        "na",
        "nan",
        "nil",
        "no-user",
        "none",
        "not_authenticated",
        "null",
        "nulll",
        "test",
        "true",
        "undefined",
        "unknown",
        "user",
        "user_id",
        "userid",
        "visitor",
        "xxx",
    }
)
#: mailboxes of a function, not of a person, and addresses that everyone types to get past a form
ROLE_MAILBOXES = frozenset(
    {"noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster"}
)
WELL_KNOWN_FAKES = frozenset(
    {"test@test.com", "test@test.nl", "test@example.com", "a@a.com", "email@email.com", "user@example.com"}
)

_ZEROS_AND_DASHES = re.compile(r"^[0\-_.\s]*$")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|%%|\$\{|<%|%>|\*\|.*\|\*|\{%|^\[\[.*\]\]$|^\{\w+\}$|^%\w+%$")
_QUOTES = "\"'`"


def is_junk(kind: str, value: str, blocked: Iterable[str] = ()) -> bool:
    """Tell whether a normalised value stands for nobody. `blocked` holds the values an administrator added."""
    bare = value.strip().strip(_QUOTES).strip().casefold()
    if bare in NOBODY or _ZEROS_AND_DASHES.match(bare) or _PLACEHOLDER.search(bare):
        return True
    if kind == "email" and (bare in WELL_KNOWN_FAKES or bare.partition("@")[0] in ROLE_MAILBOXES):
        return True
    return any(bare == word.strip().casefold() for word in blocked)
