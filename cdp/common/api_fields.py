"""Bodies of the REST API: what is not known is refused by name, at every depth; a misspelt field is never lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model
from django.utils.translation import gettext as _
from rest_framework import serializers

Row = TypeVar("Row", bound=Model)
UNKNOWN_FIELD = "unknown_field"


class RefusesUnknown:
    """Mixin of serializers: refuse fields that are not there, and those that can only be read."""

    fields: Any

    def to_internal_value(self, data: Any) -> Any:
        """Check the names, then the values."""
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted({str(name) for name in data} - writable)
            if unknown:
                raise serializers.ValidationError(
                    {
                        name[:100]: [serializers.ErrorDetail(self._refused(name), code=UNKNOWN_FIELD)]
                        for name in unknown[:20]
                    }
                )
        return super().to_internal_value(data)  # type: ignore[misc]  # of the serializer that this is mixed into

    def _refused(self, name: str) -> str:
        return _("This field can only be read.") if name in self.fields else _("This field is not known.")


class StrictSerializer(RefusesUnknown, serializers.Serializer[Any]):
    """A body, or a part of one, whose fields are all known."""


class StrictModelSerializer(RefusesUnknown, serializers.ModelSerializer[Row]):
    """A row as a body whose fields are all known."""
