"""What consent does when people change: hear what events say, keep the strictest answer when people are joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import connection
from django.utils.translation import gettext as _

from consent.events import ConsentStatement, speaks_of_consent, statements_of
from consent.models import ConsentState, ConsentText, Purpose
from consent.policy.states import GIVEN, REFUSED, SOFT_OPT_IN, WITHDRAWN
from consent.services.entries import ConsentEntry
from consent.services.joining import keep_strictest
from consent.services.recording import record_consents
from consent.services.sales import record_sales
from consent.services.states import refresh_states
from profiles.changes import Change, NewInteraction
from profiles.models import Source


def on_change(change: Change) -> None:
    """Take part in a change of people, in its transaction. The caller's announcement covers the people touched."""
    spoken = [item for item in change.interactions if speaks_of_consent(item)]
    if spoken:
        _hear(spoken)
    if change.interactions:
        record_sales(change.interactions)
    if change.moved:
        keep_strictest(change.moved)
        refresh_states({move.from_profile_id for move in change.moved} | {move.to_profile_id for move in change.moved})


def keep_people(profile_ids: Sequence[int], cause: str) -> set[int]:
    """Return those who said something, by another way than the import that is undone (`import:12`, or "")."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT i.profile_id FROM profiles_identifier i "
            "JOIN consent_consentrecord r ON r.identifier_id = i.id "
            "WHERE i.profile_id = ANY(%s) AND (%s = '' OR (r.method <> 'import_undone' AND r.reference <> %s))",
            [sorted(profile_ids), cause, cause],
        )
        return {row[0] for row in cursor.fetchall()}


def _hear(interactions: Sequence[NewInteraction]) -> None:
    trusted = [item for item in interactions if item.trusted]
    _warn({item.source_id for item in interactions if not item.trusted}, _public_warning())
    said = [(item, statement) for item in trusted for statement in statements_of(item)]
    if not said:
        return
    purposes = {purpose.slug: purpose for purpose in Purpose.objects.filter(slug__in={row.purpose for _i, row in said})}
    texts = _texts(purposes.values())
    known = _given_states({item.profile_id for item, _row in said})
    entries, unknown = [], set()
    for item, row in said:
        purpose = purposes.get(row.purpose)
        if purpose is None or row.channel not in purpose.channels:
            unknown.add(item.source_id)
            continue
        key = (item.profile_id, purpose.pk, row.channel)
        state = row.state or (WITHDRAWN if key in known else REFUSED)
        known.add(key) if state == GIVEN else known.discard(key)
        entries.append(_entry(item, row, purpose, state, texts))
    record_consents(entries, tell=False)
    _warn(unknown, _unknown_warning())


def _entry(
    item: NewInteraction,
    row: ConsentStatement,
    purpose: Purpose,
    state: str,
    texts: dict[tuple[int, int], dict[str, int]],
) -> ConsentEntry:
    versions = texts.get((purpose.pk, row.text_version or 0), {})
    return ConsentEntry(
        profile_id=item.profile_id,
        identifier_id=item.identifier_id,
        purpose_id=purpose.pk,
        channel=row.channel,
        state=state,
        method="event",
        actor=f"source:{item.source_id}",
        source_id=item.source_id,
        text_id=versions.get(row.language) or next(iter(versions.values()), None),
        evidence=row.evidence,
        occurred_at=item.occurred_at,
        reference=f"message:{item.message_id}",
    )


def _texts(purposes: Iterable[Purpose]) -> dict[tuple[int, int], dict[str, int]]:
    """Return {(purpose, version): {language: text id}}."""
    found: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for text in ConsentText.objects.filter(purpose__in=list(purposes)).order_by("language"):
        found[text.purpose_id, text.version][text.language] = text.pk
    return found


def _given_states(profile_ids: set[int]) -> set[tuple[int, int, str]]:
    rows = ConsentState.objects.filter(profile_id__in=profile_ids, state__in=(GIVEN, SOFT_OPT_IN))
    return set(rows.values_list("profile_id", "purpose_id", "channel"))


def _public_warning() -> str:
    return _("A public key tried to set permissions: ignored. Send consent events with a server key.")


def _unknown_warning() -> str:
    return _("A consent event named a purpose or channel that does not exist: ignored.")


def _warn(source_ids: set[int], warning: str) -> None:
    """Show a warning with the sources, writing only when it is news."""
    if source_ids:
        Source.objects.filter(pk__in=source_ids).exclude(warning=warning).update(warning=warning[:200])
