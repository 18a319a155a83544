"""Forms of the catalogue's pages."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from profiles.catalogue.observe import MAX_PATH
from profiles.catalogue.types import DATE, LIST, NUMBER, OTHER, TEXT, YES_NO
from profiles.models.catalogue import CatalogueScope
from profiles.services.catalogue import MAX_DESCRIPTION

TYPE_LABELS = {
    TEXT: _("text"),
    NUMBER: _("number"),
    YES_NO: _("yes or no"),
    DATE: _("date"),
    LIST: _("list"),
    OTHER: _("object"),
}


class AnnounceForm(forms.Form):
    """Name what will come in."""

    scope = forms.ChoiceField(label=_("What it is"), choices=CatalogueScope.choices)
    event = forms.CharField(
        label=_("Event"), max_length=MAX_PATH, required=False, help_text=_("For an event, or a property of one.")
    )
    path = forms.CharField(
        label=_("Name"),
        max_length=MAX_PATH,
        required=False,
        help_text=_("Of the trait or property. Inside an object: home.city; in the lines of a list: lines[].sku"),
    )
    type = forms.ChoiceField(
        label=_("Kind of value"), choices=[("", _("choose")), *TYPE_LABELS.items()], required=False
    )
    description = forms.CharField(
        label=_("Description"), max_length=MAX_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class DescribeForm(forms.Form):
    """Say what it means."""

    description = forms.CharField(
        label=_("Description"), max_length=MAX_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
