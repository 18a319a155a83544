"""Forms of messages and campaigns. They check shape; what a message may hold is checked by the service."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.models import BodyFormat, Message
from campaigns.services.campaigns import Plan
from campaigns.services.messages import Content
from consent.models import Purpose
from segments.models import Segment


class MessageForm(forms.Form):
    """Name, subject, body and sender of a message."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("For colleagues; readers do not see it."))
    subject = forms.CharField(label=_("Subject"), max_length=250)
    preheader = forms.CharField(
        label=_("Preview line"),
        max_length=250,
        required=False,
        help_text=_("Shown after the subject in most mailboxes."),
    )
    format = forms.ChoiceField(label=_("Written as"), choices=BodyFormat.choices, initial=BodyFormat.LETTER)
    body = forms.CharField(
        label=_("Text"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "true", "class": "mono"}),
        help_text=_(
            "# heading, **bold**, [words](https://…), a line with - for a list; **[words](https://…)** is a button."
        ),
    )
    from_name = forms.CharField(label=_("Sender name"), max_length=100)
    from_email = forms.CharField(label=_("Sender address"), max_length=254)
    reply_to = forms.CharField(label=_("Reply to"), max_length=254, required=False)
    required_traits = forms.CharField(
        label=_("Needed values"),
        required=False,
        max_length=2000,
        help_text=_("Traits, divided by commas. People without one of them are left out and counted as such."),
    )

    def content(self) -> Content:
        """Return what the writer gave."""
        data = self.cleaned_data
        return Content(
            subject=data["subject"],
            body=data["body"].replace("\r\n", "\n"),
            preheader=data["preheader"],
            format=data["format"],
            from_name=data["from_name"],
            from_email=data["from_email"],
            reply_to=data["reply_to"],
            required_traits=[part.strip() for part in data["required_traits"].split(",") if part.strip()],
        )


class SegmentMultiple(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # not generic at run time
    """Segments by name."""

    def label_from_instance(self, obj: Any) -> str:
        """Return the name."""
        return str(obj.name)


class PlanForm(forms.Form):
    """Who, why and what of a campaign."""

    name = forms.CharField(label=_("Name"), max_length=120)
    segment = forms.ModelChoiceField(
        label=_("Segment"),
        queryset=Segment.objects.none(),
        required=False,
        empty_label=_("Not chosen yet"),
        help_text=_("Who gets it."),
    )
    exclude = SegmentMultiple(
        label=_("Leave out"),
        queryset=Segment.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Members of these get nothing, whatever else they are in."),
    )
    purpose = forms.ModelChoiceField(
        label=_("Purpose"),
        queryset=Purpose.objects.none(),
        required=False,
        empty_label=_("Not chosen yet"),
        help_text=_("Why: only people who allow this purpose get the mail."),
    )
    message = forms.ModelChoiceField(
        label=_("Message"),
        queryset=Message.objects.none(),
        required=False,
        empty_label=_("Not chosen yet"),
        help_text=_("What they get. Scheduling keeps the version of that moment."),
    )
    necessary_because = forms.CharField(
        label=_("Why everybody needs it"),
        max_length=300,
        required=False,
        help_text=_(
            "Only for a purpose that is no marketing: it reaches people who said no to marketing too, so say why they "
            "must get this message, such as a recall. No advertising may be in it."
        ),
    )
    field_order = ("name", "segment", "purpose", "message", "exclude")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        living = Segment.objects.exclude(status="archived").order_by("name")
        choices: dict[str, Any] = {
            "segment": living,
            "exclude": living,
            "purpose": Purpose.objects.filter(active=True, channels__contains=["email"]).order_by("name"),
            "message": Message.objects.living().order_by("name"),
        }
        for name, queryset in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = queryset

    def plan(self) -> Plan:
        """Return what was chosen."""
        data = self.cleaned_data
        return Plan(
            name=data["name"],
            purpose_id=data["purpose"].pk if data["purpose"] else None,
            segment_id=data["segment"].pk if data["segment"] else None,
            exclude_segment_ids=tuple(segment.pk for segment in data["exclude"]),
            message_id=data["message"].pk if data["message"] else None,
            necessary_because=data["necessary_because"],
        )


class ScheduleForm(forms.Form):
    """When it goes."""

    when = forms.ChoiceField(
        label=_("When"), choices=[("now", _("Now")), ("at", _("At a time"))], widget=forms.RadioSelect, initial="now"
    )
    local_time = forms.CharField(
        label=_("Day and time"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    time_zone = forms.ChoiceField(label=_("On the clock of"), required=False)
    confirm = forms.IntegerField(
        label=_("Number of people"), required=False, min_value=0, widget=forms.TextInput(attrs={"inputmode": "numeric"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)
        zone.choices = [
            (name, name.replace("_", " ")) for name in sorted(available_timezones()) if "/" in name or name == "UTC"
        ]
        zone.initial = settings.BUSINESS_TIME_ZONE

    def clean(self) -> dict[str, Any]:
        """Ask for the time when a time was chosen."""
        data = super().clean() or {}
        if data.get("when") == "at" and not data.get("local_time"):
            self.add_error("local_time", _("Give the day and time."))
        return data
