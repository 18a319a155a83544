"""Viewsets of the REST API: each action parses, calls one service, answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.serializers import (
    CampaignSerializer,
    ContentSerializer,
    DeliverySerializer,
    MessageSerializer,
    PlanSerializer,
    ScheduleSerializer,
    with_public_ids,
)
from campaigns.filters import CampaignFilters, DeliveryApiFilters, MessageFilters
from campaigns.models import Campaign, Delivery, Message
from campaigns.report import changes_since_forecast, report_of
from campaigns.services.campaigns import (
    cancel_campaign,
    create_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    unschedule_campaign,
    update_campaign,
)
from campaigns.services.messages import archive_message, create_message, update_message
from cdp.common.access import record_look
from cdp.common.api_pages import keyset_pages
from cdp.common.api_views import ApiViewSet


class MessageViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Message]):
    """Messages. Every change makes a new version."""

    queryset = Message.objects.living().select_related("current_version")
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    serializer_class = MessageSerializer
    filterset_class = MessageFilters
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "campaigns.view_message",
        "retrieve": "campaigns.view_message",
        "create": "campaigns.add_message",
        "*": "campaigns.change_message",
    }

    @extend_schema(request=ContentSerializer, responses={201: MessageSerializer})
    def create(self, request: Request) -> Response:
        """Create a message; a template error names the field, the line and the remedy."""
        given = ContentSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = create_message(name=given.validated_data["name"], content=given.content(), actor=request.user)
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=ContentSerializer, responses=MessageSerializer)
    def update(self, request: Request, id: str) -> Response:
        """Save a new version."""
        given = ContentSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = update_message(
            message_id=self.get_object().pk,
            name=given.validated_data["name"],
            content=given.content(),
            actor=request.user,
        )
        return Response(self.get_serializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Put a message away; its versions stay."""
        archive_message(message_id=self.get_object().pk)
        return Response(status=204)


class CampaignViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Campaign]):
    """Campaigns: make, schedule, watch, stop."""

    queryset = Campaign.objects.campaigns().select_related(
        "purpose", "segment", "message", "message_version", "segment_version"
    )
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    serializer_class = CampaignSerializer
    filterset_class = CampaignFilters
    bodyless = frozenset({"unschedule", "pause", "resume", "cancel"})
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "campaigns.view_campaign",
        "retrieve": "campaigns.view_campaign",
        "report": "campaigns.view_campaign",
        "create": "campaigns.add_campaign",
        "update": "campaigns.change_campaign",
        "*": "campaigns.send_campaign",
    }

    @extend_schema(request=PlanSerializer, responses={201: CampaignSerializer})
    def create(self, request: Request) -> Response:
        """Make a draft."""
        given = PlanSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._answer(create_campaign(plan=given.plan(), actor=request.user), 201)

    @extend_schema(request=PlanSerializer, responses=CampaignSerializer)
    def update(self, request: Request, id: str) -> Response:
        """Change a draft."""
        given = PlanSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._answer(update_campaign(campaign_id=self.get_object().pk, plan=given.plan()))

    @extend_schema(request=ScheduleSerializer, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def schedule(self, request: Request, id: str) -> Response:
        """Schedule a draft, or send it now; refused with everything that stands in the way."""
        given = ScheduleSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        campaign = schedule_campaign(campaign_id=self.get_object().pk, actor=request.user, **given.validated_data)
        return self._answer(campaign)

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def unschedule(self, request: Request, id: str) -> Response:
        """Make a scheduled campaign a draft again."""
        return self._answer(unschedule_campaign(campaign_id=self.get_object().pk))

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, id: str) -> Response:
        """Hold a campaign."""
        return self._answer(pause_campaign(campaign_id=self.get_object().pk))

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, id: str) -> Response:
        """Go on with a held campaign."""
        return self._answer(resume_campaign(campaign_id=self.get_object().pk))

    @extend_schema(request=None, responses=CampaignSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Response:
        """Stop a campaign for good."""
        campaign, _people = cancel_campaign(campaign_id=self.get_object().pk)
        return self._answer(campaign)

    @extend_schema(responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def report(self, request: Request, id: str) -> Response:
        """Return the figures; audience = sent + skipped + failed + unknown + cancelled + pending.

        `since_forecast` names every line that differs from what was foreseen when the campaign was scheduled.
        """
        campaign = self.get_object()
        report = report_of(campaign)
        changes = [
            {"code": line.code, "label": line.label, "foreseen": line.foreseen, "found": line.found}
            for line in changes_since_forecast(campaign, report)
        ]
        return Response({**report.as_dict(), "forecast": campaign.forecast, "since_forecast": changes})

    def _answer(self, campaign: Campaign, status: int = 200) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=campaign.pk)).data, status=status)


class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[Delivery]):
    """Decisions: who got which campaign, who did not, and why."""

    queryset = Delivery.objects.select_related("campaign", "message_version")
    serializer_class = DeliverySerializer
    pagination_class = keyset_pages("-campaign_id")
    filterset_class = DeliveryApiFilters
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    required_permissions: ClassVar[dict[str, str]] = {"*": "campaigns.view_delivery"}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List decisions, those of the newest campaign first."""
        page: Sequence[Any] = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        shown = with_public_ids(page)
        people = [row.public_profile_id for row in shown]  # type: ignore[attr-defined]  # set by with_public_ids
        record_look(self.request, "campaign.deliveries_listed", people)
        return self.get_paginated_response(DeliverySerializer(shown, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one decision."""
        shown = with_public_ids([self.get_object()])[0]
        record_look(request, "delivery.viewed", [shown.public_profile_id])  # type: ignore[attr-defined]
        return Response(DeliverySerializer(shown).data)
