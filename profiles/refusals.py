"""Why the collector refused a request, and what its sender should change. The codes are those of the answers."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from cdp.common.reasons import ReasonTable, ReasonText

REFUSALS = ReasonTable(
    "refusal",
    {
        "not_found": ReasonText(
            _("Unknown address"),
            hint=_("An SDK's host or path is set wrong. Take the lines from the page of its source."),
        ),
        "method_not_allowed": ReasonText(
            _("Wrong method"), hint=_("Events are posted. A redirect in a proxy turns a POST into a GET: remove it.")
        ),
        "missing_key": ReasonText(
            _("No write key"), hint=_("Send the key as the user name, or as writeKey in the body.")
        ),
        "invalid_key": ReasonText(
            _("Unknown write key"),
            hint=_("It was replaced, copied in part, or is of another system. Take it from its source."),
        ),
        "secret_key_in_address": ReasonText(
            _("Secret key in an address"),
            hint=_("Addresses end up in logs. Send the key as a header, and issue a new one."),
        ),
        "source_disabled": ReasonText(
            _("Source is off, or not for websites"),
            hint=_("Something still sends with this key: switch the source on, or stop the sender."),
        ),
        "origin_not_allowed": ReasonText(
            _("Page outside the list"),
            hint=_("If the page is yours, add its origin to the source's list."),
        ),
        "invalid_json": ReasonText(_("Not valid JSON"), hint=_("The body is JSON in UTF-8.")),
        "invalid_shape": ReasonText(
            _("Not an object, or no batch"),
            hint=_("The body is a JSON object; that of a batch has a list named “batch”."),
        ),
        "body_too_large": ReasonText(_("Body too large"), hint=_("Send smaller batches.")),
        "invalid_encoding": ReasonText(_("Damaged compression"), hint=_("Something on the way changed the body.")),
        "unsupported_encoding": ReasonText(_("Unknown compression"), hint=_("Use gzip, or none.")),
        "not_installed": ReasonText(_("analytics.js is not installed"), hint=_("Run `make assets` on the server.")),
    },
)
