"""The form of a kind of identifier."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from profiles.services.kinds import MAX_LABEL, MAX_LIMIT


class KindForm(forms.Form):
    """Label, limit and blocked values."""

    label = forms.CharField(label=_("Label"), max_length=MAX_LABEL, help_text=_("What the kind is called on pages."))
    limit = forms.IntegerField(
        label=_("Most per person"),
        min_value=1,
        max_value=MAX_LIMIT,
        help_text=_(
            "Beyond it a message or a row of a file brings no further one: the merge waits for a person to look at, "
            "and the row is rejected. A lower limit takes nothing from people who have more."
        ),
    )
    blocked_values = forms.CharField(
        label=_("Values that stand for nobody"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_(
            "One on each line, such as the address of your own shop counter. Messages are stored without such a value; "
            "one that names nobody else is rejected. Test values and role mailboxes are known already."
        ),
    )
