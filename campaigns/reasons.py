"""Every outcome and reason in words: the codes are stable, the sentences are for people."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

#: why somebody of the audience gets nothing; in the order of the waterfall
SKIP_REASONS: dict[str, Promise] = {
    "excluded": _("in an excluded segment"),
    "purpose_inactive": _("the purpose is not active"),
    "erased": _("erased"),
    "restricted": _("restricted"),
    "objected": _("objected"),
    "withdrawn": _("withdrawn"),
    "no_consent": _("no consent"),
    "no_address": _("no address"),
    "unverified_address": _("address not confirmed"),
    "suppressed": _("suppressed"),
    "duplicate_address": _("same address twice"),
    "missing_field": _("a needed value is missing"),
    "left_segment": _("left the segment"),
    "merged": _("joined with another person"),
    "cancelled": _("the campaign was cancelled"),
}
FAIL_REASONS: dict[str, Promise] = {
    "render_error": _("message does not render"),
    "bad_address": _("the address does not exist"),
    "invalid_address": _("not a mail address"),
    "refused": _("refused by the mail server"),
    "policy_refused": _("refused by a rule of the mail server"),
    "gave_up": _("put off by the mail server for too long"),
}
OTHER_REASONS: dict[str, Promise] = {
    "lost_after_handover": _("the connection was lost after the message was handed over"),
    "worker_died": _("the sending process stopped while handing the message over"),
}
REASONS: dict[str, Promise] = {**SKIP_REASONS, **FAIL_REASONS, **OTHER_REASONS}

_SENTENCES: dict[str, Promise] = {
    "excluded": _("This person is a member of a segment that the campaign leaves out."),
    "purpose_inactive": _("The purpose was not active, or not meant for mail."),
    "erased": _("This person was erased, or is no longer a person of their own."),
    "restricted": _("This person's data is stored but may not be used (restriction)."),
    "objected": _("This person objected to direct marketing."),
    "withdrawn": _("This person withdrew the permission."),
    "no_consent": _("This person never gave permission for this purpose."),
    "no_address": _("No mail address is known."),
    "unverified_address": _("The address was only claimed through a public key, so it may belong to somebody else."),
    "suppressed": _("The address is on the suppression list."),
    "duplicate_address": _("Another person of this campaign has the same address; one mail per address."),
    "missing_field": _("The message needs a value that this person does not have."),
    "merged": _("This person was joined with another one after the campaign started."),
    "cancelled": _("The campaign was cancelled before this message was sent."),
    "render_error": _("The message could not be filled in for this person."),
    "bad_address": _("The mail server says that the address does not exist; it is suppressed from now on."),
    "invalid_address": _("What is stored is not a mail address."),
    "refused": _("The mail server refused the message."),
    "policy_refused": _("The mail server refused the message by a rule of its own, again and again."),
    "gave_up": _("The mail server put the message off for more than a day."),
    "lost_after_handover": _("The connection broke after the message was handed over: it may or may not have arrived."),
    "worker_died": _("The sending process was stopped while handing the message over: it may or may not have arrived."),
}


def reason_text(outcome: str, reason: str) -> str:
    """Return the decision as a sentence."""
    if outcome == "sent":
        return str(_("Handed over to the mail server."))
    if outcome == "pending":
        return str(_("Waiting to be sent.")) if not reason else str(_("Put off by the mail server; tried again later."))
    return str(_SENTENCES.get(reason) or REASONS.get(reason) or reason)


def label_of(reason: str) -> str:
    """Return the short name of a reason."""
    return str(REASONS.get(reason, reason))
