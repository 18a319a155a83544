"""Why a campaign stands still: stored in English with the campaign, said in the language of the reader."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from cdp.common.stored_texts import display_stored

BY_HAND = _("Paused by hand.")
LATE = _("Its hour passed while nothing was running. Resume to send it now, or cancel it.")
SEGMENT_BROKEN = _("The segment is broken or put away, so nobody is in it for sure. Mend it, then resume.")
RULE_CHANGED = _(
    "The segment's rule was changed after the campaign was scheduled. Look at the numbers, then schedule again."
)
EXCLUDED_BROKEN = _(
    "A segment that is left out is broken or put away, so nobody would be left out by it. Mend it, then resume."
)
NOT_COUNTED = _("The segment, or one that is left out, is still to be counted. Wait a moment, then resume.")
#: trouble with the mail server: kind -> sentence about its last reply
TROUBLE = {
    "unreachable": _("The mail server cannot be reached: %(reply)s. Check EMAIL_URL and the server, then resume."),
    "login": _(
        "The mail server does not let us in: %(reply)s. Check the user name and password in EMAIL_URL, then resume."
    ),
    "policy": _(
        "The mail server refuses our mail by a rule: %(reply)s. Check SPF, DKIM and DMARC of the sender, then resume."
    ),
    "refusals": _(
        "More than 5%% of the last messages were refused, the last with: %(reply)s. Look at the failures first."
    ),
    "put_off": _(
        "The mail server put off one message after another, the last with: %(reply)s. Look at the server, then resume."
    ),
}
_ALL = (BY_HAND, LATE, SEGMENT_BROKEN, RULE_CHANGED, EXCLUDED_BROKEN, NOT_COUNTED, *TROUBLE.values())


def pause_text(reason: str) -> str:
    """Return a stored reason in the reader's language; a reason that a person wrote stays as it is."""
    return display_stored(reason, _ALL)
