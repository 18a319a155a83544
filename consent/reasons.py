"""Reasons of the gate in words."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from consent.policy import decisions

REASON_TEXTS: dict[str, str | Promise] = {
    "": _("allowed"),
    decisions.PURPOSE_INACTIVE: _("the purpose is switched off, or is not meant for this channel"),
    decisions.ERASED: _("the person was erased"),
    decisions.RESTRICTED: _("the person's data is restricted: stored, not used"),
    decisions.OBJECTED_REASON: _("objected to marketing"),
    decisions.WITHDRAWN_REASON: _("withdrew the permission"),
    decisions.NO_CONSENT: _("never gave permission"),
    decisions.NO_ADDRESS: _("no address is known"),
    decisions.UNVERIFIED_ADDRESS: _("the address was only said by a public key"),
    decisions.SUPPRESSED: _("the address is on the suppression list"),
}


def reason_text(code: str) -> str:
    """Return a reason as a sentence; an unknown one as it is."""
    return str(REASON_TEXTS.get(code, code.replace("_", " ")))
