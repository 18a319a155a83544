"""What the API takes and gives."""

from __future__ import annotations

from rest_framework import serializers

from campaigns.models import BodyFormat, Campaign, Delivery, Message
from campaigns.reasons import outcome_text
from campaigns.services.campaigns import Plan
from campaigns.services.messages import Content
from cdp.common.api_fields import StrictSerializer


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
    purpose = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1)
    segment = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1)
    exclude_segments = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), max_length=50, default=list
    )
    message = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**63 - 1)
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
            purpose_id=data["purpose"],
            segment_id=data["segment"],
            exclude_segment_ids=tuple(data["exclude_segments"]),
            message_id=data["message"],
            necessary_because=data["necessary_because"],
        )


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign."""

    exclude_segments = serializers.ListField(source="exclude_segment_ids", read_only=True)
    message_version = serializers.IntegerField(source="message_version.number", read_only=True, default=None)
    segment_version = serializers.IntegerField(source="segment_version.number", read_only=True, default=None)
    pause_reason = serializers.CharField(source="pause_label", read_only=True, help_text="`pause_code` as a sentence")

    class Meta:
        model = Campaign
        fields = (
            "id", "name", "status", "purpose", "segment", "exclude_segments", "message", "message_version",
            "segment_version", "necessary_because", "scheduled_at", "local_time", "time_zone", "started_at",
            "finished_at", "audience_total",
            "pause_code", "pause_reason", "created_at", "changed_at",
        )  # fmt: skip
        read_only_fields = fields


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
    """A decision about one person."""

    explanation = serializers.SerializerMethodField()
    message_version = serializers.IntegerField(source="message_version_id", read_only=True)

    class Meta:
        model = Delivery
        fields = (
            "uuid", "campaign", "profile_id", "outcome", "reason", "explanation", "consent_record_id", "basis",
            "message_version", "smtp_code", "attempts", "decided_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_explanation(self, row: Delivery) -> str:
        """Return the decision as a sentence."""
        return outcome_text(row.outcome, row.reason)
