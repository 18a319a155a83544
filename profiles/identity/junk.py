"""Values that stand for nobody. Used as an identifier they would join strangers, so they are never one.

The base is what other platforms learnt the hard way (the blocked values of PostHog and Segment); placeholders of
templates that were never filled in and mailboxes that belong to a function are ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import unescape
from urllib.parse import unquote

NOBODY = frozenset(
    {
        "",
        "#n/a",
        "#name?",
        "#ref!",
        "#value!",
        "-1",
        "[object null]",
        "[object object]",
        "[object undefined]",
        "\\n",
        "anon",
        "anoniem",
        "anonymous",
        "blank",
        "default",
        "distinct_id",
        "distinctid",
        "dummy",
        "email",
        "empty",
        "false",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "gast",
        "geen",
        "guest",
        "guest_user",
        "guestuser",
        "id",
        "inf",
        "infinity",
        "leeg",
        "n.a.",
        "n.v.t.",
        "n/a",
        "na",
        "nan",
        "nil",
        "no value",
        "no-user",
        "no_user",
        "nobody",
        "none",
        "not set",
        "not_authenticated",
        "null",
        "nulll",
        "nvt",
        "object",
        "onbekend",
        "placeholder",
        "test",
        "true",
        "unbekannt",
        "undefined",
        "unknown",
        "user",
        "user_id",
        "userid",
        "visitor",
        "void 0",
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

#: what people write for somebody else's domain: `null@null.com`
_NOBODYS_ADDRESS = re.compile(r"^(null|undefined|none|unknown|nan|dummy)@")
_ZEROS_AND_MARKS = re.compile(r"^[0\-_.?*\s]*$")
#: what a template, or the code around it, leaves when it was not filled in
_PLACEHOLDER = re.compile(
    r"\{\{|\}\}|%%|\$\{|<%|%>|\*\|.*\|\*|\{%"
    r"|^\[\[.*\]\]$|^\{\w+\}$|^\[\w+\]$|^<[\w ]+>$|^%\w+%$|^__\w+__$|^function ?\("
    r"|^[:$@]?(?:your|my|the)?[-_ ]?(?:user|customer|client|visitor|klant|contact)[-_ ]?id(?:[-_ ]?here)?$"
)
_AROUND = "\"'`()[]<>“”„‘’«»"


def is_junk(kind: str, value: str, blocked: Iterable[str] = ()) -> bool:
    """Tell whether a normalised value stands for nobody. `blocked` holds the values an administrator added."""
    whole = _plain(value)
    bare = whole.strip(_AROUND).strip()
    if whole in NOBODY or bare in NOBODY or _ZEROS_AND_MARKS.match(bare) or _PLACEHOLDER.search(whole):
        return True
    # An address stands for nobody as a user id too.
    if (
        bare in WELL_KNOWN_FAKES
        or _NOBODYS_ADDRESS.match(bare)
        or ("@" in bare and bare.partition("@")[0] in ROLE_MAILBOXES)
    ):
        return True
    return any(whole == _plain(word) for word in blocked)


def known_junk() -> list[str]:
    """Return the values that stand for nobody on every installation, for people to read."""
    return sorted({*NOBODY, *WELL_KNOWN_FAKES, *(f"{name}@…" for name in ROLE_MAILBOXES)} - {""})


def _plain(value: str) -> str:
    """Return a value as it was meant: full-width letters narrow, what an address bar quoted unquoted, in one case."""
    if not value.isascii():
        value = unicodedata.normalize("NFKC", value)
    for _quoted in range(2):  # what was quoted twice was meant once
        if "%" in value:
            value = unquote(value)
    if "&" in value:
        value = unescape(value)
    return value.strip().casefold()
