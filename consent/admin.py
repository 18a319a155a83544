"""The staff site: everything of consent can be read there, nothing changed. Changes have their own pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from consent.models import ConsentRecord, ConsentText, Erasure, LedgerSeal, Purpose, Suppression


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Read, with no way to write."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


@admin.register(ConsentRecord)
class ConsentRecordAdmin(ReadOnlyAdmin):
    """The ledger."""

    list_display = ("id", "recorded_at", "purpose", "channel", "state", "method", "actor")
    list_select_related = ("purpose",)
    ordering = ("-id",)


@admin.register(LedgerSeal)
class LedgerSealAdmin(ReadOnlyAdmin):
    """The seals."""

    list_display = ("sealed_at", "from_id", "to_id", "count", "verified_at")


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    """The suppression list."""

    list_display = ("created_at", "kind", "reason", "lifted_at")


@admin.register(Purpose, ConsentText, Erasure)
class OtherAdmin(ReadOnlyAdmin):
    """Purposes, their words, receipts of erasures."""
