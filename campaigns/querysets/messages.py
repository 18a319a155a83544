"""Reads of messages."""

from __future__ import annotations

from typing import Any

from django.db import models


class MessageQuerySet(models.QuerySet[Any]):
    """Chainable reads of messages."""

    def living(self) -> MessageQuerySet:
        """Leave out what was put away."""
        return self.filter(archived_at=None)

    def matching(self, text: str) -> MessageQuerySet:
        """Keep those whose name or subject holds `text`."""
        words = models.Q(name__icontains=text) | models.Q(current_version__subject__icontains=text)
        return self.filter(words) if text else self
