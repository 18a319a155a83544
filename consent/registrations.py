"""The parts that consent hands to the registries. Called once, from AppConfig.ready()."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.exports import export_kinds
from cdp.common.registry import (
    HealthCheck,
    HomeCard,
    NavEntry,
    PersonalDataHolder,
    ProfilePanel,
    ProfilePart,
    api_routes,
    health_checks,
    home_cards,
    journal_kinds,
    navigation,
    person_columns,
    personal_data,
    profile_panels,
    profile_parts,
    start_checks,
    timeline,
)
from consent import retention, tasks
from consent.api.erasures import ErasureViewSet
from consent.api.export_kinds import CONSENT_RECORDS
from consent.api.others import PermissionViewSet, SuppressionViewSet
from consent.api.parts import PermissionOfPerson, permissions_of
from consent.api.purposes import PurposeViewSet
from consent.api.records import ConsentRecordViewSet
from consent.changes import keep_people, on_change
from consent.exports import permissions
from consent.import_targets import consent_targets
from consent.import_undo import permissions_undoer
from consent.keys import keys_health, problem_with_keys
from consent.ledger_watch import ledger_health
from consent.panels import agreed_card, consent_panel, consent_timeline
from consent.personal_data import collect_consent_data, erase_consent_data
from consent.services.erasing import erasures_done
from consent.services.journaling import ERASURE, REFUSAL, SUPPRESSION
from consent.services.reapplying import apply_erasures, apply_refusals, apply_suppressions
from consent.services.suppressing import erased_identifiers
from profiles.changes import change_handlers, keepers
from profiles.importing.targets import import_targets, undoers
from profiles.tombstones import Tombstones, tombstones

__all__ = ["register", "tasks"]  # tasks are imported so that Celery knows them in every process


def register() -> None:
    """Fill the registries."""
    change_handlers.add("consent", on_change)
    person_columns.add("consent", permissions)
    tombstones.add("consent", Tombstones(find=erased_identifiers, count=erasures_done))
    keepers.add("consent", keep_people)
    import_targets.add("consent", consent_targets)
    undoers.add("consent", permissions_undoer)
    personal_data.add("consent", PersonalDataHolder(collect=collect_consent_data, erase=erase_consent_data))
    timeline.add("consent", consent_timeline)
    profile_panels.add("consent", ProfilePanel(template="consent/_panel.html", context=consent_panel, order=20))
    start_checks.add("consent_keys", problem_with_keys)
    journal_kinds.add(SUPPRESSION, apply_suppressions)
    journal_kinds.add(ERASURE, apply_erasures)
    journal_kinds.add(REFUSAL, apply_refusals)
    health_checks.add("consent_keys", HealthCheck(label=_("Keys of the suppression list"), run=keys_health))
    health_checks.add("consent_ledger", HealthCheck(label=_("Consent ledger"), run=ledger_health))
    home_cards.add(
        "consent_agreed",
        HomeCard(
            template="consent/_home_figure.html",
            context=agreed_card,
            slot="figure",
            order=40,
            permission="profiles.view_profile",
        ),
    )
    _navigation()
    retention.register()
    export_kinds.add("consent_records", CONSENT_RECORDS)
    profile_parts.add(
        "permissions",
        ProfilePart(serializer=PermissionOfPerson, values=permissions_of, permission="profiles.view_profile"),
    )
    api_routes.add("consent-records", ConsentRecordViewSet)
    api_routes.add("purposes", PurposeViewSet)
    api_routes.add("suppression", SuppressionViewSet)
    api_routes.add("permissions", PermissionViewSet)
    api_routes.add("erasures", ErasureViewSet)


def _navigation() -> None:
    entries = (
        ("desk", _("Desk"), 10, "consent.view_consentrecord"),
        ("log", _("Consent log"), 20, "consent.view_consentrecord"),
        ("purposes", _("Purposes"), 30, "consent.view_purpose"),
        ("suppression", _("Suppression"), 40, "consent.view_suppression"),
    )
    for name, label, order, permission in entries:
        navigation.add(
            f"consent_{name}",
            NavEntry(group="privacy", label=label, url_name=f"consent:{name}", order=order, permission=permission),
        )
