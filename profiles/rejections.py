"""Why a message was not stored, in words; the codes are stored and sent to the API."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from cdp.common.stored_texts import display_stored

_WORDS: dict[str, Promise] = {
    "event_name_too_long": _("The event's name is too long"),
    "invalid_json": _("Not valid JSON"),
    "invalid_key": _("A name holds a character that cannot be stored"),
    "invalid_message_id": _("The messageId cannot be used"),
    "junk_identifier": _("The identifier stands for nobody"),
    "missing_type": _("The type is missing"),
    "no_alias_ids": _("An alias names two ids"),
    "no_event_name": _("The event has no name"),
    "no_group_id": _("The group has no id"),
    "no_user_anon_id": _("Nobody is named: no userId and no anonymousId"),
    "not_an_object": _("Not a JSON object"),
    "number_out_of_range": _("A number is too large"),
    "too_deep": _("Nested too deeply"),
    "too_large": _("The message is too large"),
    "unknown_type": _("The type is unknown"),
}
#: details as the processing stores them
_DETAILS = (
    gettext_noop("more than %(count)s levels"),
    gettext_noop("a message may have %(count)s bytes"),
    gettext_noop("a message must be an object"),
    gettext_noop("%(name)s must be an object"),
    gettext_noop("messageId must be text"),
    gettext_noop("messageId may have %(count)s characters"),
    gettext_noop("a track message needs an event"),
    gettext_noop("an event's name may have %(count)s characters"),
    gettext_noop("a group message needs a groupId"),
    gettext_noop("a message needs a userId or an anonymousId"),
    gettext_noop("an alias message needs a previousId and a userId"),
    gettext_noop("a name holds a NUL character"),
    gettext_noop("an integer beyond 64 bits"),
    gettext_noop("a number too large to hold"),
)


def rejection_text(code: str) -> str:
    """Return the reason behind a stored code in the reader's language; an unknown code as it is."""
    return str(_WORDS.get(code, code))


def detail_text(detail: str) -> str:
    """Return a stored detail in the reader's language; what came from outside stays as it is."""
    return display_stored(detail, _DETAILS)
