"""What usual traits are called in the reader's language; the keys themselves stay as sources send them."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

_USUAL = frozenset(
    (
        _("Address"),
        _("Age"),
        _("Avatar"),
        _("Birthday"),
        _("City"),
        _("Company"),
        _("Country"),
        _("Created at"),
        _("Currency"),
        _("Customer since"),
        _("Date"),
        _("Description"),
        _("Email"),
        _("Event"),
        _("First name"),
        _("Form"),
        _("Gender"),
        _("House number"),
        _("Job title"),
        _("Language"),
        _("Last name"),
        _("Name"),
        _("Name infix"),
        _("Order id"),
        _("Page"),
        _("Page url"),
        _("Phone"),
        _("Plan"),
        _("Postal code"),
        _("Postcode"),
        _("Price"),
        _("Product"),
        _("Products"),
        _("Quantity"),
        _("Salutation"),
        _("Score"),
        _("Sending address"),
        _("Street"),
        _("Title"),
        _("Total"),
        _("Username"),
        _("Website"),
    )
)


def trait_label(words: str) -> str:
    """Return the words of a key, such as `First name`, in the reader's language where they are usual ones."""
    return gettext(words) if words in _USUAL else words
