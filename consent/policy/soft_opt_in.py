"""Soft opt-in: who bought from us may get messages about similar products of ours, unless they say no. Plain Python.

Five facts make it (ePrivacy Directive art. 13(2), Dutch Tw art. 11.7(3)): a sale by ourselves, at which the address was
given; own similar products; the refusal offered at that moment; the refusal offered in every message, which the footer
of every message does; and no refusal. The first four are laid down in the terms of the purpose; that there was a sale,
and no refusal, is recorded per person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from consent.policy.states import EXPIRED, GIVEN, REFUSED, SOFT_OPT_IN, WITHDRAWN

#: a later sale is recorded again only after so long: the ledger need not hold every order
RENEWED_AFTER = timedelta(days=30)
_TRUE = frozenset({"true", "yes", "1", "ja", "on"})


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftOptIn:
    """The facts of a purpose that rests on soft opt-in."""

    event: str  # which event is the sale
    seller: str  # who sells, which must be who sends: the same legal entity
    products: str  # the own products, similar to those sold, that the messages are about
    offered_since: str  # ISO date from which the refusal is offered at the sale
    offered_how: str  # in which words, and where
    refused_property: str = ""  # a property of the event that is true when the person refused

    @classmethod
    def from_json(cls, body: Mapping[str, Any] | None) -> SoftOptIn | None:
        """Return the facts as kept with a purpose; None when there are none."""
        return cls(**body) if body else None

    def as_json(self) -> dict[str, str]:
        """Return them as they are kept."""
        return asdict(self)

    def missing(self) -> str:
        """Return the name of the first fact that is missing or wrong, "" when all are there."""
        for name in ("event", "seller", "products", "offered_how"):
            if not getattr(self, name).strip():
                return name
        try:
            date.fromisoformat(self.offered_since)
        except ValueError:
            return "offered_since"
        return ""

    def begin(self, zone: tzinfo) -> datetime:
        """Return the beginning of the day since which the refusal is offered, on the clock of a place."""
        return datetime.combine(date.fromisoformat(self.offered_since), time(), tzinfo=zone)

    def is_refusal(self, properties: Mapping[str, Any]) -> bool:
        """Tell whether the person refused at the sale."""
        value = properties.get(self.refused_property) if self.refused_property else None
        return value is True or (not isinstance(value, bool) and str(value).strip().lower() in _TRUE)


def state_after_sale(*, refused: bool, at: datetime, held: str, since: datetime | None) -> str:
    """Return the state to record after a sale, "" for none; `held` is what holds, since when.

    A sale raises nobody who said no, and adds nothing to a yes; a refusal at the sale always counts.
    """
    after = since is None or at >= since
    if refused:
        if not held or (held == EXPIRED and after):
            return REFUSED
        return WITHDRAWN if held in (GIVEN, SOFT_OPT_IN) and after else ""
    if not held or (held == EXPIRED and after):
        return SOFT_OPT_IN
    if held == SOFT_OPT_IN and since is not None and at >= since + RENEWED_AFTER:
        return SOFT_OPT_IN
    return ""
