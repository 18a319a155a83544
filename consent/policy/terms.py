"""What a version of a purpose lays down, as far as a decision depends on it. Plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consent.policy.canonical import canonical, sha256
from consent.policy.soft_opt_in import SoftOptIn
from consent.policy.states import GIVEN, SOFT_OPT_IN

OPT_IN_BASES = frozenset({"consent", "soft_opt_in"})  # nothing without a yes
OBJECTABLE_BASES = frozenset({"consent", "soft_opt_in", "legitimate_interest"})  # a no counts
#: what must be sent for a contract or by law is not advertising, and an objection to advertising does not stop it
NECESSARY_BASES = frozenset({"contract", "legal_obligation"})

#: the fields that decide whom a purpose reaches
DECIDING = ("channels", "basis", "is_marketing", "requires_seen_proof", "requires_confirmed", "soft_opt_in", "active")
#: every field of a version, in the order in which its digest covers them
FIELDS = ("name", "description", *DECIDING, "retention_days", "text_version")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a decision asks of a purpose. `version_id` is None for terms that are not saved."""

    version_id: int | None
    active: bool
    channels: tuple[str, ...]
    basis: str
    is_marketing: bool
    requires_seen_proof: bool = False
    requires_confirmed: bool = False
    #: the sales that would count, for terms that are only proposed: those in force have their records
    prospective: SoftOptIn | None = None

    @property
    def opt_in(self) -> bool:
        """Tell whether nothing is allowed without a yes."""
        return self.basis in OPT_IN_BASES

    @property
    def allowing_states(self) -> tuple[str, ...]:
        """Return the states that allow: a yes, and where the basis says so, having bought."""
        return (GIVEN, SOFT_OPT_IN) if self.basis == "soft_opt_in" else (GIVEN,)

    @property
    def silent_basis(self) -> str:
        """Return the basis that allows without a record; "" when only a record allows."""
        return "" if self.opt_in else self.basis

    @property
    def objectable(self) -> bool:
        """Tell whether a no to this purpose itself counts."""
        return self.basis in OBJECTABLE_BASES


#: of a purpose that does not exist
NO_TERMS = Terms(version_id=None, active=False, channels=(), basis="consent", is_marketing=True)


def terms_digest(*, purpose: int, version: int, created_at: str, created_by: str, body: Mapping[str, Any]) -> str:
    """Return the digest of a version: its terms, who laid them down and when. `body` holds FIELDS and `effect`."""
    covered = {name: body[name] for name in (*FIELDS, "effect")}
    return sha256(
        canonical(
            {
                "v": 1,
                "purpose": purpose,
                "version": version,
                "created_at": created_at,
                "created_by": created_by,
                **covered,
            }
        )
    )
