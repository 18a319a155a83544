"""What people did, over the REST API. Read only: events come in by the collection API."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any, ClassVar

from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access
from cdp.common.masking import can_see_pii, mask_value
from profiles.models import Interaction, Profile

MAX_PAGE = 200


class InteractionSerializer(serializers.ModelSerializer[Interaction]):
    """One thing a person did."""

    class Meta:
        model = Interaction
        fields: ClassVar[Any] = [
            "id",
            "occurred_at",
            "received_at",
            "kind",
            "name",
            "properties",
            "message_id",
            "source_id",
        ]
        read_only_fields = fields


def interactions_page(request: Request, *, profile_id: int | None = None) -> dict[str, Any]:
    """Return {"next", "results"}: a page, newest first, after the cursor of the request."""
    rows = Interaction.objects.order_by("-occurred_at", "-id")
    if profile_id is not None:
        rows = rows.filter(profile_id=profile_id)
    name = request.query_params.get("name", "").replace("\x00", "")
    if name:
        rows = rows.filter(name=name[:200])
    since = _time(request, "since")
    if since:
        rows = rows.filter(occurred_at__gte=since)
    before = _time(request, "before")
    if before:
        rows = rows.filter(occurred_at__lt=before)
    cursor = request.query_params.get("cursor")
    if cursor:
        at, number = _read_cursor(cursor)
        rows = rows.filter(occurred_at__lte=at).exclude(occurred_at=at, id__gte=number)
    limit = _limit(request)
    found = list(rows[: limit + 1])
    page = found[:limit]
    people = dict(Profile.objects.filter(pk__in={row.profile_id for row in page}).values_list("pk", "uuid"))
    masked = not can_see_pii(request.user)
    results = []
    for row in page:
        data = dict(InteractionSerializer(row).data)
        data["profile"] = str(people.get(row.profile_id, "")) or None
        if masked:
            data["properties"] = mask_value("", data["properties"])
        results.append(data)
    more = len(found) > limit
    return {"next": _cursor(page[-1].occurred_at, page[-1].id) if more else None, "results": results}


def _cursor(at: datetime, number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), number]).encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, int]:
    try:
        at, number = json.loads(base64.urlsafe_b64decode(text))
        return datetime.fromisoformat(at), int(number)
    except (ValueError, TypeError, binascii.Error):
        raise ValidationError({"cursor": "This cursor is not one of ours."}) from None


def _time(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValidationError({name: "Write a time as 2026-11-23T14:30:00Z."})
    return moment


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "50")
    return max(1, min(int(text), MAX_PAGE)) if text.isdecimal() and len(text) < 6 else 50


class InteractionViewSet(viewsets.ViewSet):
    """Interactions of everybody, newest first."""

    required_permissions: ClassVar[dict[str, str]] = {"list": "profiles.view_interaction"}

    @extend_schema(
        parameters=[
            OpenApiParameter("name", OpenApiTypes.STR, description="Name of the event"),
            OpenApiParameter("since", OpenApiTypes.DATETIME),
            OpenApiParameter("before", OpenApiTypes.DATETIME),
            OpenApiParameter("cursor", OpenApiTypes.STR),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses=InteractionSerializer(many=True),
    )
    def list(self, request: Request) -> Response:
        """List interactions, newest first."""
        page = interactions_page(request)
        record_access(
            request=request,
            action="interaction.listed",
            object_kind="interaction",
            detail={"rows": len(page["results"])},
        )
        return Response(page)
