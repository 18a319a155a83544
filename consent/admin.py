"""The staff site: everything of consent can be read there, nothing changed. Changes have their own pages."""

from __future__ import annotations

from django.contrib import admin

from cdp.common.service_admin import ReadOnlyAdmin
from consent.filters import RecordFilters, SuppressionFilters
from consent.models import (
    ConsentRecord,
    ConsentText,
    Erasure,
    LedgerCheck,
    LedgerSeal,
    Purpose,
    PurposeVersion,
    Suppression,
)


@admin.register(ConsentRecord)
class ConsentRecordAdmin(ReadOnlyAdmin):
    """The ledger."""

    filters = RecordFilters
    list_display = ("id", "recorded_at", "purpose", "channel", "state", "method", "actor")
    list_select_related = ("purpose",)
    ordering = ("-id",)


@admin.register(LedgerSeal)
class LedgerSealAdmin(ReadOnlyAdmin):
    """The seals."""

    list_display = ("sealed_at", "from_id", "to_id", "count")


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnlyAdmin):
    """The verifications."""

    list_display = ("requested_at", "requested_by", "whole", "phase", "records", "problem_count", "finished_at")


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    """The suppression list."""

    filters = SuppressionFilters
    list_display = ("created_at", "kind", "reason", "lifted_at")


@admin.register(Purpose, PurposeVersion, ConsentText, Erasure)
class OtherAdmin(ReadOnlyAdmin):
    """Purposes, their words, receipts of erasures."""
