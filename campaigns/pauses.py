"""Why a campaign stands still: the code is stored with the campaign, and its parameters fill the sentence."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from cdp.common.reasons import ReasonTable, ReasonText

BY_HAND = "by_hand"
NOTE = "note"
LATE = "late"
SEGMENT_BROKEN = "segment_broken"
RULE_CHANGED = "rule_changed"
EXCLUDED_BROKEN = "excluded_broken"
NOT_COUNTED = "not_counted"
RESTORED = "restored"
RESTORED_BLIND = "restored_blind"
AUDIENCE_FAILED = "audience_failed"

PAUSES = ReasonTable(
    "pause",
    {
        BY_HAND: ReasonText(_("Paused by hand.")),
        NOTE: ReasonText(_("Paused by hand."), "%(note)s"),
        LATE: ReasonText(_("Its hour passed while nothing was running. Resume to send it now, or cancel it.")),
        SEGMENT_BROKEN: ReasonText(
            _("The segment is broken or archived, so nobody is in it for sure. Correct it, then resume.")
        ),
        RULE_CHANGED: ReasonText(
            _(
                "The segment's rule was changed after the campaign was scheduled. "
                "Look at the numbers, then schedule again."
            )
        ),
        EXCLUDED_BROKEN: ReasonText(
            _(
                "A segment that is left out is broken or archived, so nobody would be left out by it. "
                "Correct it, then resume."
            )
        ),
        NOT_COUNTED: ReasonText(
            _("The segment, or one that is left out, is still to be counted. Wait a moment, then resume.")
        ),
        AUDIENCE_FAILED: ReasonText(
            _("The audience could not be worked out."),
            _("The audience could not be worked out, several times over: %(error)s. Resume to try again."),
        ),
        RESTORED: ReasonText(
            _("The database was restored from a backup"),
            _(
                "The database was restored from a backup, or copied. Since then %(people)s people may have got this "
                "mail: they are listed as “nobody can know” and are not mailed again by themselves. Look at the "
                "numbers, then resume or cancel."
            ),
        ),
        RESTORED_BLIND: ReasonText(
            _("The database was restored from a backup"),
            _(
                "The database was restored from a backup, or copied, and who was mailed since is not known here. "
                "Resuming may mail people a second time. Look at the mail server's log, then resume or cancel."
            ),
        ),
        # trouble with the mail server, with its last reply
        "unreachable": ReasonText(
            _("The mail server cannot be reached"),
            _("The mail server cannot be reached: %(reply)s. Check EMAIL_URL and the server, then resume."),
        ),
        "login": ReasonText(
            _("The mail server does not let us in"),
            _(
                "The mail server does not let us in: %(reply)s. "
                "Check the user name and password in EMAIL_URL, then resume."
            ),
        ),
        "policy": ReasonText(
            _("The mail server refuses our mail by a rule"),
            _(
                "The mail server refuses our mail by a rule: %(reply)s. "
                "Check SPF, DKIM and DMARC of the sender, then resume."
            ),
        ),
        "refusals": ReasonText(
            _("More than a twentieth of the last messages were refused"),
            _("More than 5%% of the last messages were refused, the last with: %(reply)s. Look at the failures first."),
        ),
        "put_off": ReasonText(
            _("The mail server put off one message after another"),
            _(
                "The mail server put off one message after another, the last with: %(reply)s. "
                "Look at the server, then resume."
            ),
        ),
        "silent": ReasonText(
            _("The mail server takes messages and does not answer"),
            _(
                "The mail server takes messages and does not answer: %(reply)s. Look at the server, then resume. "
                "Messages that it may have are listed as “nobody can know”."
            ),
        ),
        # the same while a campaign waits by itself, to try again
        "hold_unreachable": ReasonText(
            _("Waiting for the mail server"),
            _("Waiting for the mail server, which cannot be reached: %(reply)s. It is tried again by itself."),
        ),
        "hold_silent": ReasonText(
            _("Waiting for the mail server"),
            _(
                "Waiting for the mail server, which takes messages and does not answer: %(reply)s. "
                "It is tried again by itself, one message at a time."
            ),
        ),
    },
)
