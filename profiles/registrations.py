"""What collection and identity hand to the registries: the inbox's depth, the holder of personal data, API routes."""

from __future__ import annotations

from django.db import connection

from cdp.common.registry import PersonalDataHolder, QueueDepth, api_routes, personal_data, queues
from profiles.api.interactions import InteractionViewSet
from profiles.api.profiles import ProfileViewSet
from profiles.api.sources import SourceViewSet
from profiles.services.personal_data import collect, erase


def inbox_depth() -> tuple[int, float | None]:
    """Return (bodies waiting, age of the oldest in seconds)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), extract(epoch FROM now() - min(received_at))::float"
            " FROM (SELECT received_at FROM profiles_inbox LIMIT 1000000) AS waiting"
        )
        row = cursor.fetchone()
    return (int(row[0]), row[1]) if row else (0, None)


def register() -> None:
    """Fill the registries; called once, from AppConfig.ready()."""
    queues.add("inbox", QueueDepth(measure=inbox_depth))
    personal_data.add("profiles", PersonalDataHolder(collect=collect, erase=erase))
    api_routes.add("profiles", ProfileViewSet)
    api_routes.add("interactions", InteractionViewSet)
    api_routes.add("sources", SourceViewSet)
