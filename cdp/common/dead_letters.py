"""What people do with dead letters: retry or discard them. Why they are dead, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from cdp.common.models import DeadLetter
from cdp.common.queue_items import put
from cdp.common.queues import queues
from cdp.common.reasons import ReasonTable, ReasonText
from cdp.common.wake import wake

REASONS = ReasonTable(
    "dead_letter",
    {
        "timeout": ReasonText(
            gettext_noop("It took too long each time"),
            gettext_noop("It took longer than %(seconds)s seconds each time"),
        ),
        "race": ReasonText(gettext_noop("Others kept changing the same rows each time")),
        "worker_died": ReasonText(gettext_noop("The worker died each time")),
        "error": ReasonText(gettext_noop("It ended in an error each time")),
    },
)


def reason_text(letter: DeadLetter) -> str:
    """Return why it was given up, in the reader's language."""
    return REASONS.text(letter.reason, letter.parameters)


def queue_label(name: str) -> str:
    """Return what a queue is called; its name when the part that had it is gone."""
    return str(queues.get(name).label) if name in dict(queues.items()) else name


@transaction.atomic
def retry_dead_letter(*, letter_id: int, actor: Any = None) -> DeadLetter:
    """Put the item of a dead letter back into its queue."""
    letter = _locked(letter_id)
    if letter.queue not in dict(queues.items()):
        raise CdpError("dead_letter.no_queue", _("Nothing works at this queue any more. Discard it."), status=409)
    queue = queues.get(letter.queue)
    # First: a queue may refuse what is among the dead letters.
    DeadLetter.objects.filter(pk=letter.pk).delete()
    if queue.retry is None:
        put(queue.name, [int(letter.key)])
    else:
        queue.retry(letter)
    wake(queue.task)
    _record("retried", letter, actor)
    return letter


@transaction.atomic
def discard_dead_letter(*, letter_id: int, actor: Any = None) -> DeadLetter:
    """Let go of a dead letter for good."""
    letter = _locked(letter_id)
    DeadLetter.objects.filter(pk=letter.pk).delete()
    _record("discarded", letter, actor)
    return letter


def retry_dead_letters(*, letters: QuerySet[DeadLetter], actor: Any = None) -> tuple[int, int]:
    """Retry each of these by itself; return (put back, refused)."""
    put_back = refused = 0
    ids: Iterable[int] = list(letters.order_by("pk").values_list("pk", flat=True))
    for letter_id in ids:
        try:
            retry_dead_letter(letter_id=letter_id, actor=actor)
            put_back += 1
        except CdpError:
            refused += 1
    return put_back, refused


def _locked(letter_id: int) -> DeadLetter:
    letter = DeadLetter.objects.select_for_update().filter(pk=letter_id).first()
    if letter is None:
        raise CdpError("dead_letter.gone", _("It was dealt with already."), status=404)
    return letter


def _record(done: str, letter: DeadLetter, actor: Any) -> None:
    record_access(
        actor=actor,
        action=f"dead_letter.{done}",
        object_kind=letter.queue,
        object_id=letter.key[:64],
    )
