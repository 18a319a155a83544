"""What the officer's pages take."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from consent.models import Basis, Channel, Purpose, SuppressionReason
from consent.models.ledger import Method, State

LANGUAGES = [("en", _("English")), ("nl", _("Dutch")), ("de", _("German")), ("fr", _("French"))]
OFFICER_METHODS = [(method.value, method.label) for method in (Method.MAIL, Method.PHONE, Method.PAPER, Method.OFFICER)]
OFFICER_STATES = [
    (State.WITHDRAWN.value, _("withdrew the permission")),
    (State.OBJECTED.value, _("objects to all marketing")),
    (State.GIVEN.value, _("gave permission")),
]


SALE_FACTS = ("event", "seller", "products", "offered_since", "offered_how", "refused_property")


class PurposeForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Define or change a purpose. The facts of soft opt-in stand below, and count only with that basis."""

    event = forms.CharField(
        label=_("Soft opt-in: the event that is a sale"),
        max_length=200,
        required=False,
        help_text=_("As a trusted source sends it, such as Order Completed. Sales of public keys do not count."),
    )
    seller = forms.CharField(
        label=_("Soft opt-in: who sells"),
        max_length=200,
        required=False,
        help_text=_("The same legal entity that sends the messages; not a partner or subsidiary."),
    )
    products = forms.CharField(
        label=_("Soft opt-in: own similar products"),
        max_length=500,
        required=False,
        help_text=_("What the messages are about: own products or services like those that were sold."),
    )
    offered_since = forms.CharField(
        label=_("Soft opt-in: refusal offered at the sale since"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Sales before this day make nobody reachable."),
    )
    offered_how = forms.CharField(
        label=_("Soft opt-in: how people can refuse at the sale"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The words beside the box, and where it stands. A line in the terms and conditions is not enough."),
    )
    refused_property = forms.CharField(
        label=_("Soft opt-in: property that says “refused”"),
        max_length=100,
        required=False,
        help_text=_("Of the sale's event; true for those who refused. Every message offers the refusal by itself."),
    )
    channels = forms.MultipleChoiceField(
        label=_("channels"), choices=Channel.choices, widget=forms.CheckboxSelectMultiple, initial=["email"]
    )

    class Meta:
        model = Purpose
        fields = (
            "name",
            "description",
            "channels",
            "basis",
            "is_marketing",
            "requires_seen_proof",
            "requires_confirmed",
            "retention_days",
            "active",
        )
        help_texts = {
            "description": _("What the data is used for, in words that people understand."),
            "basis": _("Without consent or soft opt-in as its basis a purpose reaches everyone who did not say no."),
            "is_marketing": _(
                "An objection to marketing stops every purpose marked so. What a contract or the law demands is not "
                "marketing. It cannot change once people have answered."
            ),
            "requires_seen_proof": _(
                "A permission that an API token, a file or a source only claims does not count then; one that a person "
                "gave on a page of ours does."
            ),
            "requires_confirmed": _(
                "An address is confirmed when the person used a link that was mailed to it. "
                "Others are then not written to."
            ),
            "retention_days": _(
                "A permission ends so long after the person gave it or last did something, whichever is later. "
                "Empty: it holds until it is withdrawn."
            ),
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show the facts that are kept."""
        super().__init__(*args, **kwargs)
        for name, value in (self.instance.soft_opt_in or {}).items():
            self.fields[name].initial = value

    def terms(self) -> dict[str, Any]:
        """Return what was chosen as fields of a purpose."""
        data = dict(self.cleaned_data)
        facts = {name: data.pop(name).strip() for name in SALE_FACTS}
        return data | {"soft_opt_in": facts if data["basis"] == Basis.SOFT_OPT_IN else {}}


class TextForm(forms.Form):
    """Add a version of the words."""

    text = forms.CharField(
        label=_("Words shown"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Exactly as people see it beside the box. A version never changes afterwards."),
    )
    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES)


class AddressForm(forms.Form):
    """An address to look up."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[("email", _("E-mail address")), ("phone", _("Phone number")), ("user_id", _("User ID"))],
    )
    value = forms.CharField(label=_("Address"), max_length=320)


class SuppressForm(AddressForm):
    """An address to put on the list."""

    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[choice for choice in SuppressionReason.choices if choice[0] != SuppressionReason.ERASURE],
        initial=SuppressionReason.MANUAL,
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False, help_text=_("No names or addresses."))


class StatementForm(forms.Form):
    """What a person told the privacy officer."""

    state = forms.ChoiceField(label=_("The person"), choices=OFFICER_STATES)
    topic = forms.ChoiceField(
        label=_("For"),
        choices=[],
        required=False,
        help_text=_("An objection is never for one topic: it ends all direct marketing by every channel."),
    )
    method = forms.ChoiceField(label=_("How it was said"), choices=OFFICER_METHODS)
    proof = forms.CharField(
        label=_("Proof"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("When, where and in what words. Needed for a permission."),
    )

    def __init__(self, *args: Any, topics: list[tuple[str, str]], **kwargs: Any) -> None:
        """Offer the topics (`purpose id:channel`)."""
        super().__init__(*args, **kwargs)
        self.fields["topic"].choices = topics  # type: ignore[attr-defined]  # a ChoiceField

    def clean(self) -> dict[str, Any]:
        """Ask for a topic, but of an objection."""
        data = super().clean() or {}
        if data.get("state") != State.OBJECTED and not data.get("topic"):
            self.add_error("topic", _("Choose what it is about."))
        return data


class EraseForm(forms.Form):
    """The last step before an erasure."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Such as: request of 3 May. No names or addresses.")
    )
    confirm = forms.CharField(label=_("Type ERASE to go on"), max_length=10)

    def clean_confirm(self) -> str:
        """Ask for the word itself."""
        word: str = self.cleaned_data["confirm"].strip()
        if word != "ERASE":
            raise forms.ValidationError(_("Type the word ERASE in capitals."))
        return word
