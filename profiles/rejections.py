"""Why a message was not stored, or without which of its values. The codes are stored, and answered by the API."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from cdp.common.reasons import ReasonTable, ReasonText

REJECTIONS = ReasonTable(
    "rejection",
    {
        "context_too_large": ReasonText(
            _("The context of a batch is too large"), _("The context of a batch may have %(limit)s bytes.")
        ),
        "empty_body": ReasonText(_("The body is empty")),
        "event_name_too_long": ReasonText(
            _("The event's name is too long"), _("An event's name may have %(limit)s characters.")
        ),
        "event_too_large": ReasonText(_("The message is too large"), _("A message may have %(limit)s bytes.")),
        "invalid_json": ReasonText(_("Not valid JSON"), _("The reader says: %(error)s")),
        "invalid_message_id": ReasonText(_("The messageId cannot be used"), _("The messageId must be text.")),
        "invalid_name": ReasonText(
            _("A name holds a character that cannot be stored"), _("The name of a field holds a NUL character.")
        ),
        "invalid_shape": ReasonText(
            _("Not an object, or no batch"), _("The body is a JSON object; that of a batch has a list named “batch”.")
        ),
        "invalid_utf8": ReasonText(_("Not UTF-8")),
        "junk_identifier": ReasonText(_("The identifier stands for nobody"), "%(values)s"),
        "message_id_too_long": ReasonText(
            _("The messageId is too long"), _("The messageId may have %(limit)s characters.")
        ),
        "missing_type": ReasonText(_("The type is missing")),
        "no_alias_ids": ReasonText(_("An alias names two ids"), _("An alias message needs a previousId and a userId.")),
        "no_event_name": ReasonText(_("The event has no name"), _("A track message needs an event.")),
        "no_group_id": ReasonText(_("The group has no id"), _("A group message needs a groupId.")),
        "no_user_anon_id": ReasonText(
            _("Nobody is named: no userId and no anonymousId"), _("A message needs a userId or an anonymousId.")
        ),
        "not_an_object": ReasonText(_("Not a JSON object"), _("“%(name)s” must be an object.")),
        "not_storable": ReasonText(_("The message could not be stored"), "%(error)s"),
        "number_out_of_range": ReasonText(
            _("A number is too large"),
            _("“%(place)s” is beyond 64 bits, or a fraction beyond about 300 digits. Send it as text."),
        ),
        "too_deep": ReasonText(_("Nested too deeply"), _("More than %(levels)s levels.")),
        "too_many_events": ReasonText(_("Too many events in one batch"), _("A batch may have %(limit)s events.")),
        "unknown_type": ReasonText(_("The type is unknown"), "%(type)s"),
        "unreadable": ReasonText(_("The message could not be read"), "%(error)s"),
    },
)

#: why a value was left out of a message that was stored
LEFT_OUT = ReasonTable(
    "left_out",
    {
        "invalid_name": ReasonText(
            _("The name cannot be used"), hint=_("Use 1 to 100 letters, digits, blanks or any of . : $ - _")
        ),
        "no_identifier": ReasonText(
            _("The value names nobody"),
            hint=_("Send no test values, placeholders, or numbers and addresses that do not exist."),
        ),
        "number_out_of_range": ReasonText(_("A number is too large"), hint=_("Send it as text.")),
        "protected": ReasonText(
            _("Only a server may say this"), hint=_("Set traits that speak of permission or power with a server's key.")
        ),
        "too_deep": ReasonText(_("Nested too deeply"), hint=_("Send fewer levels.")),
        "unknown_kind": ReasonText(
            _("There is no such kind of identifier"),
            hint=_("Send ids of the kinds that are listed under Kinds of identifier, of users, and not encoded."),
        ),
        "value_too_long": ReasonText(_("The value is too long"), hint=_("A trait may have 8 KB.")),
    },
)
