"""Who made a statement, and how well that is known, in words: the ledger keeps short codes, people read names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils.translation import gettext as _

from cdp.common.models import ApiToken
from consent.models import ConsentRecord
from consent.policy.states import CLAIMED, SEEN
from profiles.models import Source

_TOKEN = re.compile(r"token:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Return the name of each actor code (`subject`, `source:5`, `token:<uuid>`, `user:anna`, `system:join`)."""
    codes = set(actors)
    sources = dict(Source.objects.filter(pk__in=_numbers(codes, "source")).values_list("pk", "name"))
    wanted = [code.removeprefix("token:") for code in codes if _TOKEN.fullmatch(code)]
    tokens = {str(key): name for key, name in ApiToken.objects.filter(uuid__in=wanted).values_list("uuid", "name")}
    return {code: _name(code, sources, tokens) for code in codes}


def _numbers(codes: set[str], kind: str) -> set[int]:
    pairs = (code.partition(":") for code in codes)
    return {int(rest) for found, _colon, rest in pairs if found == kind and rest.isdecimal()}


def _name(code: str, sources: dict[int, str], tokens: dict[str, str]) -> str:
    kind, _colon, rest = code.partition(":")
    number = int(rest) if rest.isdecimal() else 0
    if code == "subject":
        return _("the person")
    if kind == "source" and number:
        return sources.get(number, code)
    if kind == "token" and rest:
        return _("API token “%(name)s”") % {"name": tokens.get(rest, rest)}
    if code == "system:join":
        return _("Klantbeeld, joining two people")
    if kind == "system":
        return "Klantbeeld"
    return rest if kind == "user" and rest else code


def proof_text(record: ConsentRecord, who: str) -> str:
    """Say how well a statement is known: seen by a page of ours, or claimed, and by whom."""
    if record.proof == SEEN:
        return _("seen by Klantbeeld on its own page")
    if record.proof == CLAIMED:
        return _("claimed by %(who)s") % {"who": who}
    return _("no proof")
