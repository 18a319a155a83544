"""Messages that were received and not stored, over the API: with the reason, to correct and send again, or to drop."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.filters import ChoiceFilter, TextFilter
from cdp.common.masking import can_see_pii, reader_of
from profiles.filters import RejectedFilters
from profiles.models import RejectedMessage
from profiles.services.rejected import discard_rejected, replay_rejected


class RejectedSerializer(serializers.ModelSerializer[RejectedMessage]):
    """A rejected message. Its content is shown one by one, to whoever may see names and addresses."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    source_id = serializers.SlugField(source="source.slug", read_only=True)
    reason = serializers.CharField(source="reason_text", read_only=True)
    detail = serializers.CharField(source="detail_text", read_only=True)

    class Meta:
        model = RejectedMessage
        fields: ClassVar[Any] = [
            "id",
            "source_id",
            "received_at",
            "message_id",
            "code",
            "reason",
            "detail",
            "resolved_at",
            "resolution",
        ]
        read_only_fields = fields

    def to_representation(self, instance: RejectedMessage) -> dict[str, Any]:
        """Mask what a sender wrote."""
        data = super().to_representation(instance)
        reader = reader_of(self.context["request"])
        return data | {"message_id": reader.message_id(data["message_id"]), "detail": reader.text(data["detail"])}


class RejectedDetailSerializer(RejectedSerializer):
    """A rejected message with its content; null for readers who may not see it."""

    payload = serializers.SerializerMethodField()

    class Meta(RejectedSerializer.Meta):
        fields: ClassVar[Any] = [*RejectedSerializer.Meta.fields, "payload"]
        read_only_fields = fields

    def get_payload(self, message: RejectedMessage) -> dict[str, Any] | None:
        """Return the message as it came, as far as it could be read."""
        return message.payload if can_see_pii(self.context["request"].user) else None


class RetryInput(StrictSerializer):
    """The message, corrected; without it, as it came."""

    payload = serializers.DictField(required=False)


class OpenFilters(RejectedFilters):
    """Rejected messages, as programs ask for them: by public ids."""

    source = None  # type: ignore[assignment]  # how a declared filter is left out
    source_id = TextFilter(field_name="source__slug", label="Id of the source")
    state = ChoiceFilter(label="State", choices=(("open", "open"), ("resolved", "resolved")), method="filter_state")

    def filter_state(self, rows: Any, _name: str, value: str) -> Any:
        """Keep those to deal with, or those dealt with."""
        return rows.filter(resolved_at__isnull=value == "open")


class RejectedEventViewSet(mixins.ListModelMixin, ApiViewSet[RejectedMessage]):
    """Messages that were not stored, the newest first."""

    queryset = RejectedMessage.objects.select_related("source")
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    serializer_class = RejectedSerializer
    filterset_class = OpenFilters
    bodyless = frozenset({"drop"})
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "profiles.view_rejectedmessage",
        "retrieve": "profiles.view_rejectedmessage",
        "*": "profiles.change_rejectedmessage",
    }

    @extend_schema(responses=RejectedDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Return one with its content."""
        message = self.get_object()
        record_access(
            request=request, action="rejected.viewed", object_kind="rejectedmessage", object_id=str(message.uuid)
        )
        return self._answer(message)

    @extend_schema(request=RetryInput, responses=RejectedDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, id: str) -> Response:
        """Send it through again, corrected or as it came; if it fails again it comes back as another."""
        message = self.get_object()
        payload = self.given(RetryInput).get("payload", message.payload)
        text = json.dumps(payload, ensure_ascii=False)
        return self._answer(replay_rejected(message_id=message.pk, text=text, actor=request.user))

    @extend_schema(request=None, responses=RejectedDetailSerializer)
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, id: str) -> Response:
        """Put it aside for good."""
        return self._answer(discard_rejected(message_id=self.get_object().pk, actor=request.user))

    def _answer(self, message: RejectedMessage) -> Response:
        return Response(RejectedDetailSerializer(message, context=self.get_serializer_context()).data)
