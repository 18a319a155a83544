"""What every program of these tests sends, call by call, and how it must stand in the database afterwards.

A program is started twice (rounds 1 and 2: the application restarts between them), each time with NAME, ROUND, KEY,
SITE and WHEN in its environment. It makes every call of its SDK with traits, properties, context, integrations and a
time of its own (WHEN plus some seconds), sends one event under the same message id in both rounds, and ten more events.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from profiles.models import Identifier, Interaction, Profile, Source

ROUNDS = (1, 2)
TICKS = 10
#: call -> (name of the interaction, seconds after WHEN, what its properties hold)
CALLS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "identify": ("Identified", 0, {}),
    "track": ("Order Completed", 1, {"order_id": "o-{round}", "total": 89.5}),
    "page": ("Page Viewed", 2, {"name": "Home", "path": "/{round}"}),
    "screen": ("Screen Viewed", 3, {"name": "Cart", "lines": 2}),
    "group": ("Group Joined", 4, {"group_id": "acme", "traits": {"name": "Acme"}}),
    "alias": ("Aliased", 5, {"previous_id": "{name}-old-{round}"}),
}


@dataclass(frozen=True)
class Sdk:
    """One SDK as it is tested: `missing` are the calls that it does not have."""

    name: str
    title: str
    missing: frozenset[str] = frozenset()
    #: whether it lets an application choose a message's id and its time
    own_ids: bool = True
    #: page views that it sends by itself, in all
    by_itself: int = 0
    #: in a page the key is public: what it says of who is who joins nobody
    joins: bool = True


@dataclass
class Findings:
    """What was found of one SDK: a word for each call, "ok" when sent equals stored."""

    sdk: Sdk
    words: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> dict[str, str]:
        """Return what is not as it should be."""
        return {call: word for call, word in self.words.items() if word not in ("ok", "none")}


def compare(sdk: Sdk, source: Source, when: datetime) -> Findings:
    """Compare what `sdk` sent with what is stored of its source."""
    findings = Findings(sdk)
    rows = list(Interaction.objects.filter(source_id=source.pk))
    for call in CALLS:
        findings.words[call] = "none" if call in sdk.missing else _call(sdk, call, rows, when)
    ticks = Counter(row.name for row in rows if row.name.startswith("Tick "))
    expected = {f"Tick {number}": len(ROUNDS) for number in range(TICKS)}
    findings.words["ten more"] = "ok" if ticks == expected else f"stored {dict(ticks)}"
    again = sum(row.name == "Again" for row in rows)
    wanted = 1 if sdk.own_ids else len(ROUNDS)
    findings.words["same id"] = ("ok" if sdk.own_ids else "none") if again == wanted else f"stored {again} times"
    expected_rows = len(ROUNDS) * (len(CALLS) - len(sdk.missing) + TICKS) + wanted + sdk.by_itself
    findings.words["nothing else"] = "ok" if len(rows) == expected_rows else f"{len(rows)} rows for {expected_rows}"
    findings.words["people"] = "; ".join(filter(None, (_person(sdk, round) for round in ROUNDS))) or "ok"
    return findings


def _call(sdk: Sdk, call: str, rows: list[Interaction], when: datetime) -> str:
    name, seconds, properties = CALLS[call]
    for round in ROUNDS:
        wanted = _filled(properties, sdk, round)
        user = Identifier.objects.filter(kind="user_id", value=f"{sdk.name}-user-{round}").first()
        if user is None:
            return f"nobody in round {round}"
        found = [row for row in rows if (row.kind, row.name, row.profile_id) == (call, name, user.profile_id)]
        right = [row for row in found if {key: row.properties.get(key) for key in wanted} == wanted]
        if len(right) != 1:
            return f"stored {len(right)} times in round {round}; there is {[row.properties for row in found]}"
        (row,) = right
        if row.context.get("campaign", {}).get("name") != "spring":
            return f"context {row.context}"
        if abs(row.occurred_at - when - timedelta(seconds=seconds)) > timedelta(milliseconds=1):
            return f"at {row.occurred_at}, not {when + timedelta(seconds=seconds)}"
    return "ok"


def _filled(value: Any, sdk: Sdk, round: int) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, sdk, round) for key, item in value.items()}
    return value.format(name=sdk.name, round=round) if isinstance(value, str) else value


def _person(sdk: Sdk, round: int) -> str:
    """Return what is wrong with the person of a round: one profile holds the user id, the address and the old id."""
    user = f"{sdk.name}-user-{round}"
    values = [user, f"{user}@example.org"]
    if sdk.joins:
        values.append(f"{sdk.name}-old-{round}")
    rows = list(Identifier.objects.filter(value__in=values))
    if sorted(row.value for row in rows) != sorted(values):
        return f"identifiers {sorted((row.kind, row.value) for row in rows)}"
    if len({row.profile_id for row in rows}) != 1:
        return f"{user} is {len({row.profile_id for row in rows})} people"
    traits = Profile.objects.get(pk=rows[0].profile_id).traits
    return "" if traits.get("plan") == "pro" else f"traits {traits}"
