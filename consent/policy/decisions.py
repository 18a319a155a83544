"""May this person be addressed for this purpose by this channel? The one answer, as a pure function of the facts.

consent.gate says the same in SQL for many people at once; a test holds the two together on random facts.
"""

from __future__ import annotations

from dataclasses import dataclass

from consent.policy.addresses import KIND_OF_CHANNEL
from consent.policy.states import (
    EXPIRED,
    GIVEN,
    OBJECTED,
    REFUSED,
    SEEN,
    SOFT_OPT_IN,
    WITHDRAWN,
    Statement,
    overrides_objection,
)
from consent.policy.terms import Terms

PURPOSE_INACTIVE = "purpose_inactive"
ERASED = "erased"
RESTRICTED = "restricted"
NO_CONSENT = "no_consent"
PROOF_NOT_SEEN = "proof_not_seen"
WITHDRAWN_REASON = "withdrawn"
OBJECTED_REASON = "objected"
NO_ADDRESS = "no_address"
UNVERIFIED_ADDRESS = "unverified_address"
UNCONFIRMED_ADDRESS = "unconfirmed_address"
SUPPRESSED = "suppressed"
#: in the order in which they are asked: the first that holds is the reason
REASONS = (
    PURPOSE_INACTIVE,
    ERASED,
    RESTRICTED,
    OBJECTED_REASON,
    WITHDRAWN_REASON,
    NO_CONSENT,
    PROOF_NOT_SEEN,
    NO_ADDRESS,
    UNVERIFIED_ADDRESS,
    UNCONFIRMED_ADDRESS,
    SUPPRESSED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything that the decision depends on."""

    terms: Terms
    channel: str
    alive: bool  # the profile exists, and is neither erased nor joined into another
    restricted: bool
    standing: Statement | None  # what holds for this purpose and channel
    objections: tuple[Statement, ...]  # what holds as `objected` for any direct marketing
    address: str
    unverified_address: bool  # an address is known, but only through a public key
    confirmed: bool  # the person answered at the address
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, why, and the record that says so."""

    allowed: bool
    reason: str = ""  # "" when allowed
    record_id: int | None = None
    address: str = ""
    version_id: int | None = None  # of the purpose's terms that decided
    basis: str = ""  # the legal basis, where it allows without a record


def decide(facts: Facts) -> Decision:
    """Return the decision; the reason is the first of REASONS that holds."""
    refusal = _refusal_of_person(facts) or _refusal_of_permission(facts) or _refusal_of_address(facts)
    if refusal is not None:
        return refusal
    standing = facts.standing
    record_id = standing.record_id if standing is not None and standing.state in (GIVEN, SOFT_OPT_IN) else None
    return Decision(True, "", record_id, facts.address, facts.terms.version_id, facts.terms.silent_basis)


def usable(terms: Terms, channel: str) -> bool:
    """Tell whether a purpose may be used for a channel at all."""
    return terms.active and channel in terms.channels and channel in KIND_OF_CHANNEL


def _refusal_of_person(facts: Facts) -> Decision | None:
    if not usable(facts.terms, facts.channel):
        return Decision(False, PURPOSE_INACTIVE)
    if not facts.alive:
        return Decision(False, ERASED)
    if facts.restricted:
        return Decision(False, RESTRICTED)
    return None


def _refusal_of_permission(facts: Facts) -> Decision | None:
    if facts.terms.is_marketing:
        open_objections = [item for item in facts.objections if not overrides_objection(facts.standing, item)]
        if open_objections:
            return Decision(False, OBJECTED_REASON, max(item.record_id for item in open_objections))
    if not facts.terms.objectable:
        return None
    state = facts.standing.state if facts.standing is not None else ""
    record_id = facts.standing.record_id if facts.standing is not None else None
    if state == OBJECTED:
        return Decision(False, OBJECTED_REASON, record_id)
    if state == WITHDRAWN:
        return Decision(False, WITHDRAWN_REASON, record_id)
    if state in (REFUSED, EXPIRED) or (facts.terms.opt_in and state not in facts.terms.allowing_states):
        return Decision(False, NO_CONSENT, record_id)
    if facts.terms.requires_seen_proof and facts.terms.opt_in and facts.standing and facts.standing.proof != SEEN:
        return Decision(False, PROOF_NOT_SEEN, record_id)
    return None


def _refusal_of_address(facts: Facts) -> Decision | None:
    if not facts.address:
        return Decision(False, UNVERIFIED_ADDRESS if facts.unverified_address else NO_ADDRESS)
    if facts.terms.requires_confirmed and not facts.confirmed:
        return Decision(False, UNCONFIRMED_ADDRESS)
    if facts.suppressed:
        return Decision(False, SUPPRESSED)
    return None
