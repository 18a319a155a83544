"""Values that stand for nobody. Used as an identifier they would join strangers, so they are never one.

The base is what other platforms learnt the hard way (the blocked values of PostHog and Segment); placeholders of
templates that were never filled in and mailboxes that belong to a function are ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

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
#: what a template, or the code around it, leaves when it was not filled in
_PLACEHOLDER = re.compile(r"\{\{|\}\}|%%|\$\{|<%|%>|\*\|.*\|\*|\{%|^\[\[.*\]\]$|^\{\w+\}$|^\[\w+\]$|^<\w+>$|^%\w+%$")
_AROUND = "\"'`()[]<>"


def is_junk(kind: str, value: str, blocked: Iterable[str] = ()) -> bool:
    """Tell whether a normalised value stands for nobody. `blocked` holds the values an administrator added."""
    whole = _plain(value)
    bare = whole.strip(_AROUND).strip()
    if whole in NOBODY or bare in NOBODY or _ZEROS_AND_DASHES.match(bare) or _PLACEHOLDER.search(whole):
        return True
    # An address stands for nobody as a user id too.
    if bare in WELL_KNOWN_FAKES or ("@" in bare and bare.partition("@")[0] in ROLE_MAILBOXES):
        return True
    return any(whole == _plain(word) for word in blocked)


def _plain(value: str) -> str:
    """Return a value as it was meant: full-width letters narrow, what an address bar quoted unquoted, in one case."""
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value)
    if "%" in value:
        value = unquote(value)
    return value.strip().casefold()
