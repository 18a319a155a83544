"""Single sends over the REST API: one message to one person, decided at once."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.serializers import ById, with_public_ids
from campaigns.models import CampaignKind, Delivery, Message
from campaigns.reasons import outcome_text
from campaigns.services.single import MAX_KEY, Wanted, send_single
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.masking import can_see_pii
from consent.models import Purpose
from profiles.querysets.lookup import get_person

MAX_DATA = 20_000
OUTCOMES = ("queued", "sent", "skipped", "failed", "unknown", "cancelled")


class SendInput(StrictSerializer):
    """One message to one person."""

    profile_id = serializers.CharField(
        max_length=400, help_text="The person: an id, or `kind:value` as in `email:anna@example.org`."
    )
    message_id = ById(queryset=Message.objects.living().select_related("current_version"), slug_field="uuid")
    purpose_id = ById(queryset=Purpose.objects.all(), slug_field="slug", help_text="Why; it decides who may get it.")
    data = serializers.DictField(  # type: ignore[assignment]  # the metaclass takes fields out of the class
        required=False, default=dict, help_text="Values for this message: `{{ data.order_number }}`; at most 20 KB."
    )
    idempotency_key = serializers.RegexField(
        r"\A[\x21-\x7e]+\Z",
        max_length=MAX_KEY,
        help_text="Names this message: the same key sends it once, however often it is asked for. No personal data.",
    )

    def validate_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is too much."""
        if len(json.dumps(data, ensure_ascii=False).encode()) > MAX_DATA:
            raise serializers.ValidationError(_("At most %(limit)s bytes.") % {"limit": MAX_DATA})
        return data


class SendSerializer(serializers.ModelSerializer[Delivery]):
    """What became of a single send. Rows come from `with_public_ids`."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    profile_id = serializers.UUIDField(source="public_profile_id", read_only=True, allow_null=True)
    message_id = serializers.UUIDField(source="message_version.message.uuid", read_only=True)
    message_version = serializers.IntegerField(source="message_version.number", read_only=True)
    purpose_id = serializers.SlugField(source="campaign.purpose.slug", read_only=True)
    idempotency_key = serializers.SerializerMethodField(help_text="Empty for readers who may not see people.")
    outcome = serializers.SerializerMethodField()
    explanation = serializers.SerializerMethodField(help_text="The outcome and its reason as a sentence.")
    consent_record_id = serializers.UUIDField(source="public_record_id", read_only=True, allow_null=True)

    class Meta:
        model = Delivery
        fields = (
            "id", "profile_id", "message_id", "message_version", "purpose_id", "idempotency_key", "outcome", "reason",
            "explanation", "consent_record_id", "basis", "smtp_code", "attempts", "decided_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_idempotency_key(self, row: Delivery) -> str:
        """Return the key, which a program may have made of an address."""
        return row.occurrence if self.context["see_people"] else ""

    def get_outcome(self, row: Delivery) -> str:
        """Return the outcome; what waits for its turn is queued."""
        return "queued" if row.outcome == "pending" else row.outcome

    def get_explanation(self, row: Delivery) -> str:
        """Return the decision as a sentence; of what stands still, why."""
        if row.outcome == "pending" and row.campaign.pause_label:
            return str(row.campaign.pause_label)
        return outcome_text(row.outcome, row.reason)


class SendViewSet(ApiViewSet[Delivery]):
    """Single sends: a receipt, a reset of a password, a delivery note. The same gate and ledger as campaigns."""

    queryset = Delivery.objects.filter(campaign__kind=CampaignKind.SINGLE).select_related(
        "campaign__purpose", "message_version__message"
    )
    serializer_class = SendSerializer
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    required_permissions: ClassVar[dict[str, str]] = {
        "create": "campaigns.send_campaign",
        "retrieve": "campaigns.view_delivery",
    }

    @extend_schema(request=SendInput, responses={202: SendSerializer, 200: SendSerializer})
    def create(self, request: Request) -> Response:
        """Send a message to a person: 202 when it is queued, 200 with the reason when it is not sent.

        Asked again with the same key it answers what became of the first.
        """
        given = self.given(SendInput)
        person = get_person(given["profile_id"], reader=request.user, place="profile_id")
        row, _new = send_single(
            Wanted(
                message=given["message_id"],
                purpose=given["purpose_id"],
                profile_id=person.pk,
                data=given["data"],
                key=given["idempotency_key"],
            )
        )
        return self._answer(row, 202 if row.outcome == "pending" else 200)

    @extend_schema(responses=SendSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return what became of a send, with the record that allowed it."""
        return self._answer(self.get_object(), 200)

    def _answer(self, row: Delivery, status: int) -> Response:
        full = self.get_queryset().get(uuid=row.uuid)
        context = {"see_people": can_see_pii(self.request.user)}
        return Response(SendSerializer(with_public_ids([full])[0], context=context).data, status=status)
