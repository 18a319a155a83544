"""Why the gate says no. `label` stands beside a count, `text` in a line about one person."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from cdp.common.reasons import ReasonTable, ReasonText
from consent.policy import decisions

GATE_REASONS = ReasonTable(
    "gate",
    {
        decisions.PURPOSE_INACTIVE: ReasonText(
            _("the purpose is not active"), _("the purpose is switched off, or is not meant for this channel")
        ),
        decisions.ERASED: ReasonText(_("erased"), _("the person was erased")),
        decisions.RESTRICTED: ReasonText(_("restricted"), _("the person's data is restricted: stored, not used")),
        decisions.OBJECTED_REASON: ReasonText(_("objected"), _("objected to marketing")),
        decisions.WITHDRAWN_REASON: ReasonText(_("withdrawn"), _("withdrew the permission")),
        decisions.NO_CONSENT: ReasonText(_("no consent"), _("never gave permission")),
        decisions.PROOF_NOT_SEEN: ReasonText(
            _("permission only claimed"),
            _("the permission is only claimed, and the purpose asks for one that we saw ourselves"),
        ),
        decisions.NO_ADDRESS: ReasonText(_("no address"), _("no address is known")),
        decisions.UNVERIFIED_ADDRESS: ReasonText(
            _("address not trusted"), _("the address was only claimed through a public key")
        ),
        decisions.UNCONFIRMED_ADDRESS: ReasonText(
            _("address not confirmed"),
            _("the person never answered at the address, and the purpose asks for an address that is confirmed so"),
        ),
        decisions.SUPPRESSED: ReasonText(_("suppressed"), _("the address is on the suppression list")),
    },
)


def gate_text(reason: str) -> str:
    """Return the gate's answer as words; an empty reason is a yes."""
    return GATE_REASONS.text(reason) if reason else gettext("allowed")
