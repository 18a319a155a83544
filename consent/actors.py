"""Who made a statement, and how well that is known, in words: the ledger keeps short codes, people read names."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from cdp.common.models import ApiToken
from consent.models import ConsentRecord
from consent.policy.states import CLAIMED, SEEN
from profiles.models import Source


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Return the name of each actor code (`subject`, `source:5`, `token:3`, `user:anna`, `system:join`)."""
    codes = set(actors)
    sources = dict(Source.objects.filter(pk__in=_numbers(codes, "source")).values_list("pk", "name"))
    tokens = dict(ApiToken.objects.filter(pk__in=_numbers(codes, "token")).values_list("pk", "name"))
    return {code: _name(code, sources, tokens) for code in codes}


def _numbers(codes: set[str], kind: str) -> set[int]:
    pairs = (code.partition(":") for code in codes)
    return {int(rest) for found, _colon, rest in pairs if found == kind and rest.isdecimal()}


def _name(code: str, sources: dict[int, str], tokens: dict[int, str]) -> str:
    kind, _colon, rest = code.partition(":")
    number = int(rest) if rest.isdecimal() else 0
    if code == "subject":
        return _("the person")
    if kind == "source" and number:
        return sources.get(number, code)
    if kind == "token" and number:
        return _("API token “%(name)s”") % {"name": tokens.get(number, rest)}
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
