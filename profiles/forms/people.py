"""Forms of the person page."""

from __future__ import annotations

import json
import math
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

KINDS = (
    ("text", gettext_lazy("text")),
    ("number", gettext_lazy("number")),
    ("yes_no", gettext_lazy("yes or no")),
    ("list", gettext_lazy("list, one item a line")),
)
YES = {"yes", "true", "1", "ja", "on"}
NO = {"no", "false", "0", "nee", "off"}


class TraitForm(forms.Form):
    """Set or remove one trait by hand."""

    key = forms.CharField(label=gettext_lazy("Trait"), max_length=100)
    kind = forms.ChoiceField(label=gettext_lazy("Kind of value"), choices=KINDS, required=False)
    value = forms.CharField(
        label=gettext_lazy("Value"), required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2})
    )
    remove = forms.BooleanField(required=False)
    pin = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        """Turn the text into a value of the kind chosen."""
        data = super().clean() or {}
        if data.get("remove") or "value" not in data:
            return data
        try:
            data["parsed"] = parse_value(data.get("kind") or "text", data["value"])
        except ValueError as error:
            self.add_error("value", str(error))
        return data


def parse_value(kind: str, text: str) -> Any:
    """Return the value that the text means; raise ValueError in words."""
    text = text.strip()
    if not text:
        raise ValueError(_("Give a value, or remove the trait."))
    if kind == "yes_no":
        if text.lower() not in YES | NO:
            raise ValueError(_("Write yes or no."))
        return text.lower() in YES
    if kind == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    return parse_number(text) if kind == "number" else text


def parse_number(text: str) -> int | float:
    """Return a number written with a point or a comma for the decimals; raise ValueError in words."""
    try:
        number = json.loads(text.replace(",", ".")) if len(text) < 40 else None
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
        raise ValueError(_("This is not a number. Write 1234.5, without thousands separators."))
    return number


def kind_of_value(value: Any) -> str:
    """Return the kind that a stored value has in the form."""
    if isinstance(value, bool):
        return "yes_no"
    if isinstance(value, (int, float)):
        return "number"
    return "list" if isinstance(value, list) else "text"


def text_of_value(value: Any) -> str:
    """Return a stored value as the form's text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
        return "\n".join(str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
