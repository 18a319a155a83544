"""Lay down the versions of a purpose."""

from __future__ import annotations

from typing import Any

from django.db import connection

from consent.models import Purpose, PurposeVersion
from consent.policy.canonical import moment
from consent.policy.terms import terms_digest
from consent.services.entries import actor_label


def digest_of_version(version: PurposeVersion) -> str:
    """Return the digest that a version should carry."""
    return terms_digest(
        purpose=version.purpose_id,
        version=version.version,
        created_at=moment(version.created_at),
        created_by=version.created_by,
        body={**version.term_values(), "effect": version.effect},
    )


def add_version(purpose: Purpose, *, actor: Any, effect: dict[str, Any] | None = None) -> PurposeVersion:
    """Lay down a purpose's terms, as they stand on the (locked) row, as its new version, and save both."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_trunc('microseconds', clock_timestamp())")
        now = cursor.fetchone()[0]
    last = purpose.current.version if purpose.current is not None else 0
    version = PurposeVersion(
        purpose=purpose,
        version=last + 1,
        effect=effect or {},
        created_at=now,
        created_by=actor_label(actor),
        **purpose.term_values(),
    )
    version.digest = digest_of_version(version)
    version.save(force_insert=True)
    purpose.current = version
    purpose.save()
    return version
