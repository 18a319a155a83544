"""Why a row was rejected or skipped, in words, with the mend."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

#: code -> (what is wrong, how to mend it)
REASONS: dict[str, tuple[str | Promise, str | Promise]] = {
    # the line could not be read
    "unbalanced_quote": (
        _("A quotation mark is not closed"),
        _("Close the quotation mark, or double it inside a cell."),
    ),
    "ragged": (_("The number of cells is not that of the header"), _("Give the row as many cells as the header has.")),
    "nul": (_("The line holds a NUL character"), _("Save the file again as CSV UTF-8.")),
    "undecodable": (
        _("The line holds bytes that the chosen encoding does not know"),
        _("Choose another encoding in step 1."),
    ),
    "cell_too_long": (
        _("A cell is longer than 65,536 characters"),
        _("Shorten the cell, or close its quotation mark."),
    ),
    "line_too_long": (_("The line is longer than a million characters"), _("Check that the file has line ends.")),
    # a cell does not fit its type
    "text_too_long": (_("The text is longer than 10,000 characters"), _("Shorten it, or leave the column out.")),
    "list_too_long": (_("The list has more than 100 entries"), _("Shorten it, or import the column as text.")),
    "not_a_number": (_("Not a number"), _("Check the decimal sign chosen for the column.")),
    "not_a_date": (_("Not a date"), _("Write 2026-05-31, or check whether the day or the month comes first.")),
    "short_year": (_("The year has fewer than four digits"), _("Write the year in full.")),
    "not_yes_or_no": (_("Neither yes nor no"), _("Write yes or no, ja or nee, 1 or 0.")),
    "not_an_email": (_("Not a mail address"), _("Correct the address.")),
    "not_a_phone": (_("Not a phone number"), _("Write it with the country: +31 6 12345678.")),
    "not_an_identifier": (_("Not usable as an identifier"), _("Give a value that stands for one person only.")),
    "stands_for_nobody": (
        _("This value stands for nobody"),
        _("Leave out test values, role mailboxes and placeholders."),
    ),
    # the row as a whole
    "no_key": (_("The matching column is empty"), _("Fill it in, or match on another column.")),
    "belongs_to_another": (
        _("An identifier of this row belongs to another person"),
        _("Correct it, or open both people, join them there, and upload this row again."),
    ),
    "too_many_identifiers": (
        _("The person would get more identifiers of this kind than allowed"),
        _("Remove the column, or raise the limit."),
    ),
    "empty": (_("The row is empty"), ""),
    "duplicate": (_("The same person is on an earlier row"), _("Keep one row for each person.")),
    "duplicate_identifier": (
        _("An earlier row holds the same identifier"),
        _("Give each person identifiers of their own."),
    ),
    "erased": (_("This person asked to be erased"), _("Leave the person out: the erasure stands.")),
    "restricted": (_("This person's data may be stored but not changed"), _("Ask the privacy officer.")),
    # a cell of a registered target; the row itself goes on
    "no_proof": (
        _("Permission can only be raised with a stated proof"),
        _("State where, when and how the permission was given."),
    ),
}


def reason_text(code: str) -> str:
    """Return the sentence of a code; an unknown code (of a registered target) is shown as it is."""
    known = REASONS.get(code)
    return str(known[0]) if known else code.replace("_", " ").replace(".", ": ")


def reason_mend(code: str) -> str:
    """Return how to mend it, or ""."""
    known = REASONS.get(code)
    return str(known[1]) if known else ""


def explain(code: str, detail: str) -> str:
    """Return the sentence with what it speaks of: the column, the other line, the number of cells."""
    if not detail:
        return reason_text(code)
    if code == "ragged":
        expected, _slash, found = detail.partition("/")
        return gettext("The header has %(expected)s cells, this row has %(found)s") % {
            "expected": expected,
            "found": found,
        }
    if code in ("duplicate", "duplicate_identifier"):
        return gettext("%(reason)s: line %(line)s") % {"reason": reason_text(code), "line": detail}
    return gettext("%(column)s: %(reason)s") % {"column": detail, "reason": reason_text(code)}
