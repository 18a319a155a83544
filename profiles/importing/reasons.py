"""Why a row was rejected or skipped, and why an import stopped. The codes are stored; `params` fill the sentences."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from cdp.common.errors import CdpError
from cdp.common.reasons import Params, Reason, ReasonTable, ReasonText
from profiles.models import Import

#: of a row; `column` among the parameters names the cell that the reason is about
ROW_REASONS = ReasonTable(
    "import_row",
    {
        # the line could not be read
        "unbalanced_quote": ReasonText(
            _("A quotation mark is not closed"), hint=_("Close the quotation mark, or double it inside a cell.")
        ),
        "ragged": ReasonText(
            _("The number of cells is not that of the header"),
            _("The header has %(expected)s cells, this row has %(found)s"),
            hint=_("Give the row as many cells as the header has."),
        ),
        "nul": ReasonText(_("The line holds a NUL character"), hint=_("Save the file again as CSV UTF-8.")),
        "undecodable": ReasonText(
            _("The line holds bytes that the chosen encoding does not know"),
            hint=_("Choose another encoding in step 1."),
        ),
        "cell_too_long": ReasonText(
            _("A cell is longer than 65,536 characters"), hint=_("Shorten the cell, or close its quotation mark.")
        ),
        "line_too_long": ReasonText(
            _("The line is longer than a million characters"), hint=_("Check that the file has line ends.")
        ),
        # a cell does not fit its type
        "text_too_long": ReasonText(
            _("The text is longer than 10,000 characters"), hint=_("Shorten it, or leave the column out.")
        ),
        "list_too_long": ReasonText(
            _("The list has more than 100 entries"), hint=_("Shorten it, or import the column as text.")
        ),
        "not_a_number": ReasonText(_("Not a number"), hint=_("Check the decimal sign chosen for the column.")),
        "not_a_date": ReasonText(
            _("Not a date"), hint=_("Write 2026-05-31, or check whether the day or the month comes first.")
        ),
        "short_year": ReasonText(_("The year has fewer than four digits"), hint=_("Write the year in full.")),
        "not_yes_or_no": ReasonText(_("Neither yes nor no"), hint=_("Write yes or no, ja or nee, 1 or 0.")),
        "not_an_email": ReasonText(_("Not a mail address"), hint=_("Correct the address.")),
        "not_a_phone": ReasonText(_("Not a phone number"), hint=_("Write it with the country: +31 6 12345678.")),
        "not_an_identifier": ReasonText(
            _("Not usable as an identifier"), hint=_("Give a value that stands for one person only.")
        ),
        "stands_for_nobody": ReasonText(
            _("This value stands for nobody"), hint=_("Leave out test values, role mailboxes and placeholders.")
        ),
        # the row as a whole
        "no_key": ReasonText(_("The matching column is empty"), hint=_("Fill it in, or match on another column.")),
        "belongs_to_another": ReasonText(
            _("An identifier of this row belongs to another person"),
            hint=_("Correct it, or open both people, merge them there, and upload this row again."),
        ),
        "too_many_identifiers": ReasonText(
            _("The person would get more identifiers of this kind than allowed"),
            hint=_("Remove the column, or raise the limit."),
        ),
        "empty": ReasonText(_("The row is empty")),
        "duplicate": ReasonText(
            _("The same person is on an earlier row"),
            _("The same person is on line %(line)s"),
            hint=_("Keep one row for each person."),
        ),
        "duplicate_identifier": ReasonText(
            _("An earlier row holds the same identifier"),
            _("Line %(line)s holds the same identifier"),
            hint=_("Give each person identifiers of their own."),
        ),
        "erased": ReasonText(_("This person asked to be erased"), hint=_("Leave the person out: the erasure stands.")),
        "restricted": ReasonText(
            _("This person's data may be stored but not changed"), hint=_("Ask the privacy officer.")
        ),
        "not_storable": ReasonText(
            _("The row could not be written"), "%(error)s", hint=_("Tell whoever runs the system what stands here.")
        ),
        # a cell of a registered target; the row itself goes on
        "no_proof": ReasonText(
            _("Permission can only be raised with a stated proof"),
            hint=_("State where, when and how the permission was given."),
        ),
    },
)
#: of an import that could not go on
IMPORT_ERRORS = ReasonTable(
    "import",
    {
        "kind_unknown": ReasonText(
            _("A column goes to a kind of identifier that is there no more"),
            _("%(column)s: there is no such kind of identifier."),
            _("Map the columns again."),
        ),
        "target_unknown": ReasonText(
            _("A column goes to something that is there no more"),
            _("%(column)s: there is no such target."),
            _("Map the columns again."),
        ),
        "no_source": ReasonText(_("The source that stands for contact files is gone.")),
        "refused": ReasonText(
            _("The import cannot go on as it was set up"), "%(code)s %(place)s", _("Map the columns again.")
        ),
        "failing": ReasonText(
            _("The work failed and is tried again"),
            _("The work failed %(times)s times and is tried again in a while. What went wrong: %(error)s"),
        ),
        "worker_stopped": ReasonText(
            _("The worker stopped again and again at the same place"),
            _("The work failed %(times)s times at the same place and was given up. What went wrong: %(error)s"),
        ),
    },
)


def explain(code: str, params: Params | None) -> str:
    """Return the sentence of a row with the column that it is about in front."""
    text = ROW_REASONS.text(code, params)
    column = (params or {}).get("column")
    return gettext("%(column)s: %(reason)s") % {"column": column, "reason": text} if column else text


def error_text(job: Import) -> str:
    """Return why an import stopped, or "" while it did not."""
    return IMPORT_ERRORS.text(job.error_code, job.error_params) if job.error_code else ""


def import_error(error: CdpError) -> Reason:
    """Return what is stored of a refusal that met an import at work."""
    code = error.code.removeprefix("import.")
    if code in IMPORT_ERRORS:
        return Reason(code, error.detail)
    return Reason("refused", {"code": error.code, "place": error.place})
