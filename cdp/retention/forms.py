"""What the page of a class of data takes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.retention import DataClass


class PeriodForm(forms.Form):
    """How many days, or without end where that is allowed."""

    endless = forms.BooleanField(label=gettext_lazy("Keep without end"), required=False)
    days = forms.IntegerField(label=gettext_lazy("Days"), required=False, min_value=0)
    #: the number of days that the reader saw the consequences of
    agreed = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, data_class: DataClass, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limits = {"least": data_class.minimum_days, "most": data_class.maximum_days}
        self.fields["days"].help_text = _("From %(least)s to %(most)s.") % limits
        if not data_class.may_keep:
            del self.fields["endless"]

    def clean(self) -> dict[str, Any]:
        """Ask for a number unless it is kept without end."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("endless"):
            cleaned["days"] = None
        elif cleaned.get("days") is None and "days" not in self.errors:
            self.add_error("days", _("Give a number of days."))
        return cleaned
