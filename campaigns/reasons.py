"""What became of a message to one person, and why: the codes are stored, the sentences are for people."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from cdp.common.reasons import ReasonTable, ReasonText
from consent.reasons import GATE_REASONS

#: why somebody of the audience has no mail, in the order of the waterfall: whom we leave out, whom the message fails,
#: what changed while it was sent, and whom the mail server refuses
WATERFALL = (
    "excluded",
    "purpose_inactive",
    "erased",
    "restricted",
    "objected",
    "withdrawn",
    "no_consent",
    "proof_not_seen",
    "no_address",
    "unverified_address",
    "unconfirmed_address",
    "suppressed",
    "missing_field",
    "invalid_address",
    "duplicate_address",
    "render_error",
    "left_segment",
    "merged",
    "cancelled",
    "bad_address",
    "refused",
    "policy_refused",
    "gave_up",
)
#: of these the outcome is `failed`: we wanted to send, and it could not be done
FAIL_REASONS = frozenset({"invalid_address", "render_error", "bad_address", "refused", "policy_refused", "gave_up"})
DELIVERY_REASONS = ReasonTable(
    "delivery",
    {
        "excluded": ReasonText(
            _("in an excluded segment"), _("This person is a member of a segment that the campaign leaves out.")
        ),
        "purpose_inactive": ReasonText(
            GATE_REASONS.texts["purpose_inactive"].label, _("The purpose was not active, or not meant for mail.")
        ),
        "erased": ReasonText(
            GATE_REASONS.texts["erased"].label, _("This person was erased, or is no longer a person of their own.")
        ),
        "restricted": ReasonText(
            GATE_REASONS.texts["restricted"].label, _("This person's data is stored but may not be used (restriction).")
        ),
        "objected": ReasonText(GATE_REASONS.texts["objected"].label, _("This person objected to direct marketing.")),
        "withdrawn": ReasonText(GATE_REASONS.texts["withdrawn"].label, _("This person withdrew the permission.")),
        "no_consent": ReasonText(
            GATE_REASONS.texts["no_consent"].label, _("This person never gave permission for this purpose.")
        ),
        "proof_not_seen": ReasonText(
            GATE_REASONS.texts["proof_not_seen"].label,
            _("Somebody claims that this person gave permission, and the purpose asks for one that we saw ourselves."),
        ),
        "no_address": ReasonText(GATE_REASONS.texts["no_address"].label, _("No mail address is known.")),
        "unverified_address": ReasonText(
            GATE_REASONS.texts["unverified_address"].label,
            _("The address was only claimed through a public key, so it may belong to somebody else."),
        ),
        "unconfirmed_address": ReasonText(
            GATE_REASONS.texts["unconfirmed_address"].label,
            _("This person never answered at the address, and the purpose asks for a confirmed one."),
        ),
        "suppressed": ReasonText(GATE_REASONS.texts["suppressed"].label, _("The address is on the suppression list.")),
        "duplicate_address": ReasonText(
            _("same address twice"), _("Another person of this campaign has the same address; one mail per address.")
        ),
        "missing_field": ReasonText(
            _("a needed value is missing"), _("The message needs a value that this person does not have.")
        ),
        "left_segment": ReasonText(_("left the segment")),
        "merged": ReasonText(
            _("joined with another person"), _("This person was joined with another one after the campaign started.")
        ),
        "cancelled": ReasonText(
            _("the campaign was cancelled"), _("The campaign was cancelled before this message was sent.")
        ),
        "render_error": ReasonText(
            _("message does not render"), _("The message could not be filled in for this person.")
        ),
        "bad_address": ReasonText(
            _("the address does not exist"),
            _("The mail server says that the address does not exist; it is suppressed from now on."),
        ),
        "invalid_address": ReasonText(_("not a mail address"), _("What is stored is not a mail address.")),
        "refused": ReasonText(_("refused by the mail server"), _("The mail server refused the message.")),
        "policy_refused": ReasonText(
            _("refused by a rule of the mail server"),
            _("The mail server refused the message by a rule of its own, again and again."),
        ),
        "gave_up": ReasonText(
            _("put off by the mail server for too long"), _("The mail server put the message off for more than a day.")
        ),
        "lost_after_handover": ReasonText(
            _("the connection was lost after the message was handed over"),
            _("The connection broke after the message was handed over: it may or may not have arrived."),
        ),
        "no_answer": ReasonText(
            _("the mail server never answered after the message was handed over"),
            _("The mail server did not answer after the message was handed over: it may or may not have it."),
        ),
        "sent_before_restore": ReasonText(
            _("mailed before the database was restored"),
            _("The message was handed over after the backup was made that the database was restored from."),
        ),
        "worker_died": ReasonText(
            _("the sending process stopped while handing the message over"),
            _("The sending process was stopped while handing the message over: it may or may not have arrived."),
        ),
    },
)


def outcome_text(outcome: str, reason: str) -> str:
    """Return what became of a message as a sentence."""
    if outcome == "sent":
        return gettext("Handed over to the mail server.")
    if outcome == "pending":
        return gettext("Put off by the mail server; tried again later.") if reason else gettext("Waiting to be sent.")
    return DELIVERY_REASONS.text(reason)
