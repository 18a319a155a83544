"""Who said a statement, in words: the ledger keeps short codes, people read names."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from profiles.models import Source


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Return the words of each actor code (`subject`, `source:5`, `user:anna`, `system:join`), in one query."""
    codes = set(actors)
    numbers = {int(code[7:]) for code in codes if code.startswith("source:") and code[7:].isdecimal()}
    names = dict(Source.objects.filter(pk__in=numbers).values_list("pk", "name")) if numbers else {}
    return {code: _words(code, names) for code in codes}


def _words(code: str, sources: dict[int, str]) -> str:
    kind, _colon, rest = code.partition(":")
    if code == "subject":
        return _("the person")
    if kind == "source" and rest.isdecimal():
        return sources.get(int(rest), code)
    if code == "system:join":
        return _("Klantbeeld, joining two people")
    if kind == "system":
        return "Klantbeeld"
    return rest if kind == "user" and rest else code
