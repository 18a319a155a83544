"""How long permissions hold, and why the proof of them has no period."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.retention import AgedRows, DataClass, KeptData, kept_data, retention
from consent.services.expiry import expire_permissions, survey_expired

#: a new verification begins where the last one that found nothing ended, and health tells its age
NOT_LAST_CLEAN = """
finished_at IS NOT NULL AND problem_count = 0 AND id NOT IN (
    SELECT DISTINCT ON (c.whole) c.id FROM consent_ledgercheck c WHERE c.phase = 'done' AND c.problem_count = 0
    ORDER BY c.whole, c.to_id DESC, c.id DESC)
"""


def register() -> None:
    """Say how long each kind of data is kept, and why the rest has no period."""
    retention.add(
        "permissions",
        DataClass(
            group="privacy",
            label=_("Permissions without contact"),
            what=_("Permissions of people who did nothing for as long as their purpose allows."),
            remains=_("Everything that was said. The end is one more record in the consent log."),
            holds=(),
            default_days=None,
            minimum_days=1,
            own_periods="consent:purposes",
            remove=expire_permissions,
            survey=survey_expired,
            batch=1_000,
        ),
    )
    checks = AgedRows(table="consent_ledgercheck", time="requested_at", by_key=True, where=NOT_LAST_CLEAN)
    retention.add(
        "ledger_checks",
        DataClass(
            group="privacy",
            label=_("Verifications of the consent log"),
            what=_("When the log was verified and nothing was found, and by whom that was asked."),
            remains=_("The last ones that found nothing, and all that found something."),
            holds=("consent_ledgercheck",),
            default_days=35,
            minimum_days=7,
            remove=checks.remove,
            survey=checks.survey,
        ),
    )
    kept_data.add(
        "consent_log",
        KeptData(
            group="privacy",
            label=_("Consent log"),
            why=_(
                "The law asks to prove every permission. Records cannot be changed or deleted; an erasure empties the "
                "personal part of a person's records."
            ),
            holds=(
                "consent_consentrecord", "consent_consentevidence", "consent_consentchain", "consent_ledgerseal",
                "consent_purpose", "consent_purposeversion", "consent_consenttext",
            ),
        ),
    )  # fmt: skip
    kept_data.add(
        "consent_states",
        KeptData(
            group="privacy",
            label=_("What holds today"),
            why=_("Follows from the consent log, for as long as the person is there."),
            holds=("consent_consentstate", "consent_expiryforecast", "consent_salescan"),
        ),
    )
    kept_data.add(
        "suppression",
        KeptData(
            group="privacy",
            label=_("Suppressed addresses"),
            why=_("Digests that keep an address out of every mailing. Deleting one would mail that person again."),
            holds=("consent_suppression", "consent_suppressionkey"),
        ),
    )
    kept_data.add(
        "erasures",
        KeptData(
            group="privacy",
            label=_("Receipts of erasures"),
            why=_("They prove that a request was met, and hold counts only."),
            holds=("consent_erasure",),
        ),
    )
