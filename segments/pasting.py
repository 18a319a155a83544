"""Lines that somebody pasted: addresses, phone numbers and ids, each with what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from profiles.identity.normalise import normal_email
from profiles.models import IdentifierKind
from profiles.querysets.naming import Named, find_named
from segments.list_members import Told
from segments.models import Segment
from segments.services import add_people

#: tried for a line without a kind, in this order
_KINDS = ("email", "user_id", "phone")


@dataclass
class Pasted:
    """The lines with the names that each may stand for, the likeliest first."""

    names: dict[str, list[str]] = field(default_factory=dict)
    #: outcomes of lines that stay in the box, to be corrected
    again: ClassVar[frozenset[str]] = frozenset({"unknown", "unreadable"})

    def put_in(self, segment: Segment, user: Any) -> dict[str, Any]:
        """Put in whom the lines name; return the outcome of each line and how many had it."""
        named = find_named(name for names in self.names.values() for name in names)
        people = {line: _first(names, named) for line, names in self.names.items()}
        ids = {profile_id for profile_id in people.values() if profile_id is not None}
        told = add_people(segment=segment, profile_ids=ids, cause="pasted", actor=user)
        rows = [{"line": line, "outcome": _outcome(person, told)} for line, person in people.items()]
        words = {
            "added": _("put in"),
            "already": _("was in already"),
            "unknown": _("nobody is known by it"),
            "restricted": _("data is restricted"),
        }
        counts = [(words[key], sum(row["outcome"] == key for row in rows), key) for key in words]
        return {
            "rows": [{**row, "word": words[row["outcome"]]} for row in rows],
            "counts": [count for count in counts if count[1]],
        }


def pasted(text: str) -> Pasted:
    """Read lines (or what stands between commas and semicolons); each line once."""
    found = Pasted()
    known = set(IdentifierKind.objects.values_list("name", flat=True))
    for part in text.replace("\x00", "").replace(";", "\n").replace(",", "\n").splitlines():
        line = part.strip().strip("\"'<>")[:400]
        if line and line not in found.names:
            found.names[line] = _names_of(line, known)
    return found


def _names_of(line: str, known: set[str]) -> list[str]:
    kind, colon, _rest = line.partition(":")
    if colon and kind.strip() in known:
        return [line]
    if normal_email(line):
        return [f"email:{line}"]
    return [line, *(f"{kind}:{line}" for kind in _KINDS if kind in known)]


def _first(names: list[str], named: Named) -> int | None:
    return next((named.people[name] for name in names if name in named.people), None)


def _outcome(person: int | None, told: Told) -> str:
    if person is None or person in told.unknown:
        return "unknown"
    if person in told.restricted:
        return "restricted"
    return "added" if person in told.added else "already"
