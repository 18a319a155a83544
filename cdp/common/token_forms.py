"""The form by which an API token is made."""

from __future__ import annotations

import ipaddress
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.models import ApiToken
from cdp.common.token_scopes import SCOPES, out_of_reach
from cdp.common.tokens import DEFAULT_LIFE, token_owners

if TYPE_CHECKING:
    TokenForm = forms.ModelForm[ApiToken]
else:
    TokenForm = forms.ModelForm


def default_expiry() -> date:
    """Return the day, a year ahead, on which a token ends unless its maker says otherwise."""
    return timezone.localdate() + DEFAULT_LIFE


class ApiTokenForm(TokenForm):
    """What a new token is called, for whom it is, what it may do and until when."""

    maker: User  # set by the page
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=[(name, f"{name}: {scope.label}") for name, scope in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Choose as little as the program needs. It never gets more than its user may do: "
            "without people:pii it sees masked names and addresses."
        ),
    )
    expires_on = forms.DateField(
        label=gettext_lazy("Ends on"),
        required=False,
        initial=default_expiry,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("The last day on which it works. Leave empty for a token without end."),
    )
    networks = forms.CharField(
        label=gettext_lazy("Only from these networks"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"placeholder": "203.0.113.0/24, 2001:db8::/32"}),
        help_text=gettext_lazy("Addresses or networks, separated by commas. Empty: from everywhere."),
    )

    class Meta:
        model = ApiToken
        fields = ("name", "user", "scopes", "expires_on", "networks")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # each request reads the labels in its own language
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]
            (name, f"{name}: {scope.label}") for name, scope in SCOPES.items()
        ]
        owner: Any = self.fields["user"]
        owner.queryset, owner.initial, owner.empty_label = token_owners(self.maker), self.maker.pk, None
        owner.help_text = _(
            "You, or a user made for a program (one that cannot log in). What it does is logged under that name."
        )

    def clean_networks(self) -> list[str]:
        """Return the networks as they are compared."""
        found = []
        for text in filter(None, (part.strip() for part in self.cleaned_data["networks"].split(","))):
            try:
                found.append(str(ipaddress.ip_network(text, strict=False)))
            except ValueError:
                raise forms.ValidationError(_("“%(text)s” is no address or network.") % {"text": text}) from None
        return found

    def clean_expires_on(self) -> date | None:
        """Refuse a day that has passed."""
        day: date | None = self.cleaned_data["expires_on"]
        if day is not None and day < timezone.localdate():
            raise forms.ValidationError(_("This day has passed."))
        return day

    def clean(self) -> dict[str, Any]:
        """Name the scopes that the user's own permissions make useless."""
        data = super().clean() or {}
        owner, scopes = data.get("user"), data.get("scopes", [])
        if owner is not None and (vain := out_of_reach(owner, scopes)):
            told = _("%(user)s may not do this, so a token of theirs cannot: %(scopes)s")
            self.add_error("scopes", told % {"user": owner, "scopes": ", ".join(vain)})
        return data

    def expires_at(self) -> datetime | None:
        """Return the end of the last day, in the reader's zone."""
        day: date | None = self.cleaned_data["expires_on"]
        return timezone.make_aware(datetime.combine(day, time.max)) if day else None
