"""Forms of the source pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from profiles.models import Source
from profiles.models.source import SourceKind
from profiles.services.sources import MAX_NAME, MAX_OVERLAP_HOURS


class OriginsField(forms.CharField):
    """Origins, one a line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "code", "placeholder": "https://www.example.org"})

    def to_python(self, value: Any) -> Any:
        """Return the lines that are not empty."""
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        """Show a list as lines."""
        return "\n".join(value) if isinstance(value, list) else value


class SourceForm(forms.Form):
    """Name a source and say which pages may use its key."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_NAME,
        help_text=_("As your colleagues will see it on every event: “Web shop”, “Till in Utrecht”."),
    )
    allowed_origins = OriginsField(
        label=_("Pages that may use the key"),
        required=False,
        help_text=_("One origin a line. Empty: any page. https://*.example.org covers all of a domain."),
    )


class NewSourceForm(SourceForm):
    """Name a new source and choose what it is."""

    field_order = ("name", "kind", "allowed_origins")
    kind = forms.ChoiceField(
        label=_("What sends the data"),
        choices=[
            (SourceKind.BROWSER.value, SourceKind.BROWSER.label),
            (SourceKind.SERVER.value, SourceKind.SERVER.label),
        ],
        initial=SourceKind.BROWSER.value,
        widget=forms.RadioSelect,
        help_text=_(
            "Visitors can read a website's key, so what it says is not taken as proof: it cannot set consent or join "
            "two known people. A server's key is secret and is believed."
        ),
    )


class RotateForm(forms.Form):
    """Say how long the old key keeps working."""

    overlap_hours = forms.IntegerField(min_value=0, max_value=MAX_OVERLAP_HOURS)


class LiveFilterForm(forms.Form):
    """What to show of the stream."""

    source = forms.ModelChoiceField(Source.objects.order_by("name"), required=False, empty_label=_("All sources"))
    name = forms.CharField(max_length=100, required=False)
