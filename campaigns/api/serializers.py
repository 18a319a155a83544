"""What the API takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from campaigns.models import BodyFormat, Campaign, Delivery, Message
from campaigns.reasons import outcome_text
from campaigns.services.campaigns import Plan
from campaigns.services.messages import Content
from cdp.common.api_fields import StrictSerializer
from consent.models import ConsentRecord, Purpose
from profiles.models import Profile
from segments.models import Segment

#: a part of a draft that may still be missing
OPTIONAL: dict[str, Any] = {"required": False, "allow_null": True, "default": None}


class ById(serializers.SlugRelatedField[Any]):
    """Another resource, by its public id."""

    default_error_messages: ClassVar[dict[str, Any]] = {"does_not_exist": _("There is nothing with this id.")}

    def to_internal_value(self, data: Any) -> Any:
        """Return the row; an id is text, and nothing that a database could take for one."""
        if not isinstance(data, str) or "\x00" in data:
            self.fail("does_not_exist")
        try:
            return super().to_internal_value(data)
        except DjangoValidationError:  # no UUID
            self.fail("does_not_exist")


class ContentSerializer(StrictSerializer):
    """A message as written."""

    name = serializers.CharField(max_length=120)
    subject = serializers.CharField(max_length=250)
    preheader = serializers.CharField(max_length=250, required=False, allow_blank=True, default="")
    format = serializers.ChoiceField(choices=BodyFormat.choices, default=BodyFormat.LETTER)
    body = serializers.CharField(max_length=200_000, trim_whitespace=False)
    from_name = serializers.CharField(max_length=100)
    from_email = serializers.CharField(max_length=254)
    reply_to = serializers.CharField(max_length=254, required=False, allow_blank=True, default="")
    required_traits = serializers.ListField(child=serializers.CharField(max_length=100), max_length=50, default=list)

    def content(self) -> Content:
        """Return the content for the service."""
        values = {key: value for key, value in self.validated_data.items() if key != "name"}
        return Content(**values)


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message with its current version."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    version = serializers.IntegerField(source="current_version.number", read_only=True)
    subject = serializers.CharField(source="current_version.subject", read_only=True)
    preheader = serializers.CharField(source="current_version.preheader", read_only=True)
    format = serializers.CharField(source="current_version.format", read_only=True)
    body = serializers.CharField(source="current_version.body", read_only=True)
    from_name = serializers.CharField(source="current_version.from_name", read_only=True)
    from_email = serializers.CharField(source="current_version.from_email", read_only=True)
    reply_to = serializers.CharField(source="current_version.reply_to", read_only=True)
    required_traits = serializers.ListField(source="current_version.required_traits", read_only=True)

    class Meta:
        model = Message
        fields = (
            "id", "name", "version", "subject", "preheader", "format", "body", "from_name", "from_email", "reply_to",
            "required_traits", "created_at", "changed_at",
        )  # fmt: skip
        read_only_fields = fields


class PlanSerializer(StrictSerializer):
    """Who, why and what of a campaign."""

    name = serializers.CharField(max_length=120)
    purpose_id = ById(queryset=Purpose.objects.all(), slug_field="slug", **OPTIONAL)
    segment_id = ById(queryset=Segment.objects.all(), slug_field="slug", **OPTIONAL)
    excluded_segment_ids = serializers.ListField(
        child=ById(queryset=Segment.objects.all(), slug_field="slug"), max_length=50, default=list
    )
    message_id = ById(queryset=Message.objects.living(), slug_field="uuid", **OPTIONAL)
    necessary_because = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=300,
        help_text="why people who said no to marketing must get it; asked when the purpose is no marketing",
    )

    def plan(self) -> Plan:
        """Return the plan for the service."""
        data = self.validated_data
        return Plan(
            name=data["name"],
            purpose_id=_number(data["purpose_id"]),
            segment_id=_number(data["segment_id"]),
            exclude_segment_ids=tuple(segment.pk for segment in data["excluded_segment_ids"]),
            message_id=_number(data["message_id"]),
            necessary_because=data["necessary_because"],
        )


def _number(row: Any) -> int | None:
    return None if row is None else int(row.pk)


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    purpose_id = serializers.SlugField(source="purpose.slug", read_only=True, allow_null=True, default=None)
    segment_id = serializers.SlugField(source="segment.slug", read_only=True, allow_null=True, default=None)
    excluded_segment_ids = serializers.SerializerMethodField()
    message_id = serializers.UUIDField(source="message.uuid", read_only=True, allow_null=True, default=None)
    message_version = serializers.IntegerField(
        source="message_version.number", read_only=True, allow_null=True, default=None
    )
    segment_version = serializers.IntegerField(
        source="segment_version.number", read_only=True, allow_null=True, default=None
    )
    pause_reason = serializers.CharField(source="pause_label", read_only=True, help_text="`pause_code` as a sentence")

    class Meta:
        model = Campaign
        fields = (
            "id", "name", "status", "purpose_id", "segment_id", "excluded_segment_ids", "message_id", "message_version",
            "segment_version", "necessary_because", "scheduled_at", "local_time", "time_zone", "started_at",
            "finished_at", "audience_total",
            "pause_code", "pause_reason", "created_at", "changed_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_excluded_segment_ids(self, campaign: Campaign) -> list[str]:
        """Return the ids of the segments whose members are left out."""
        if not campaign.exclude_segment_ids:
            return []
        rows = Segment.objects.filter(pk__in=campaign.exclude_segment_ids).order_by("slug")
        return list(rows.values_list("slug", flat=True))


class ScheduleSerializer(StrictSerializer):
    """When a campaign goes: now, or at a time on the clock of a place."""

    local_time = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=16, help_text="2026-11-27T09:00; empty: now"
    )
    time_zone = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)
    confirm = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        help_text="the number of people, when most of the base is reached",
    )


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A decision about one person. Rows come from `with_public_ids`."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    campaign_id = serializers.UUIDField(source="campaign.uuid", read_only=True)
    profile_id = serializers.UUIDField(
        source="public_profile_id", read_only=True, allow_null=True, help_text="null once the person was removed"
    )
    consent_record_id = serializers.UUIDField(source="public_record_id", read_only=True, allow_null=True)
    message_version = serializers.IntegerField(
        source="message_version.number", read_only=True, allow_null=True, default=None
    )
    explanation = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = (
            "id", "campaign_id", "profile_id", "outcome", "reason", "explanation", "consent_record_id", "basis",
            "message_version", "smtp_code", "attempts", "decided_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_explanation(self, row: Delivery) -> str:
        """Return the decision as a sentence."""
        return outcome_text(row.outcome, row.reason)


def with_public_ids(rows: Sequence[Delivery]) -> Sequence[Delivery]:
    """Give each delivery the public ids of its person and of the consent record that allowed it."""
    people = dict(Profile.objects.filter(pk__in={row.profile_id for row in rows}).values_list("pk", "uuid"))
    numbers = {row.consent_record_id for row in rows if row.consent_record_id}
    records = dict(ConsentRecord.objects.filter(pk__in=numbers).values_list("pk", "uuid"))
    for row in rows:
        row.public_profile_id = people.get(row.profile_id)  # type: ignore[attr-defined]
        row.public_record_id = records.get(row.consent_record_id or 0)  # type: ignore[attr-defined]
    return rows
