"""Forms of accounts: log in, and what an administrator may set of a colleague."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cdp.accounts.services import REFUSALS, why_refused
from cdp.common.models import Account
from cdp.common.roles import ROLES

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:
    UserForm = forms.ModelForm


class LoginForm(AuthenticationForm):
    """Log in. A second factor is asked here, after the password and before the session."""

    def confirm_login_allowed(self, user: Any) -> None:
        """Refuse a temporary password that nobody used in time; the password was right, so this tells nothing new."""
        super().confirm_login_allowed(user)
        account = Account.objects.filter(user=user).first()
        if account is not None and account.temporary_until is not None and account.temporary_until < timezone.now():
            raise forms.ValidationError(
                _("This temporary password has expired. Ask an administrator for a new one."), code="temporary_expired"
            )


class AccountForm(UserForm):
    """Name, address, roles and whether the account is open; never superuser, never single permissions."""

    actor: User  # set by the page
    roles = forms.MultipleChoiceField(
        label=_("Roles"),
        required=False,
        choices=[(role, _(role)) for role in ROLES],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What an account may do follows from its roles. A change ends its sessions."),
    )
    program = forms.BooleanField(
        label=_("For a program"),
        required=False,
        help_text=_("It cannot log in, and gets API tokens instead of a password."),
    )
    new_password = forms.BooleanField(
        label=_("Give a new temporary password"),
        required=False,
        help_text=_("It is shown once and works for three days, for one log-in. Open sessions end."),
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["roles"].initial = list(self.instance.groups.values_list("name", flat=True))

    def clean(self) -> dict[str, Any]:
        """Say what speaks against the change, beside the roles."""
        data = super().clean() or {}
        user = User.objects.get(pk=self.instance.pk) if self.instance.pk else None
        active = data.get("is_active", True) if user else True
        code = why_refused(actor=self.actor, user=user, roles=data.get("roles", []), active=active)
        if not code and user and data.get("new_password") and user.is_superuser and not self.actor.is_superuser:
            code = "superuser_touched"
        if code:
            self.add_error("roles" if "roles" in self.fields else None, REFUSALS[code])
        return data
