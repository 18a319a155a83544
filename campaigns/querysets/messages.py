"""Reads of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from campaigns.models.message import Message

    Base = models.QuerySet[Message]
else:
    Base = models.QuerySet


class MessageQuerySet(Base):
    """Chainable reads of messages."""

    def living(self) -> Self:
        """Leave out what was put away."""
        return self.filter(archived_at=None)

    def matching(self, text: str) -> Self:
        """Keep those whose name or subject holds `text`."""
        words = models.Q(name__icontains=text) | models.Q(current_version__subject__icontains=text)
        return self.filter(words) if text else self


MessageManager = models.Manager.from_queryset(MessageQuerySet)
