"""Forms of the catalogue's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from profiles.catalogue.observe import MAX_PATH
from profiles.catalogue.types import DATE, LIST, NUMBER, OTHER, TEXT, YES_NO
from profiles.models.catalogue import CatalogueScope, PiiClass
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
    """Say what it means, and whether it tells who somebody is."""

    description = forms.CharField(
        label=_("Description"), max_length=MAX_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    pii = forms.ChoiceField(
        label=_("Personal data"),
        choices=PiiClass.choices,
        required=False,
        help_text=_(
            "Readers who may not see names see values of what is not personal. Addresses and telephone numbers in them "
            "stay masked. Of an event this is about its name."
        ),
    )
    everywhere = forms.BooleanField(label=_("The same for the property of this name of every event"), required=False)

    def __init__(self, *args: Any, of_property: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not of_property:
            del self.fields["everywhere"]
