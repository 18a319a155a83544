"""Single sends: a program asks for one message to one person. Decided at once, sent by the queue, one ledger."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign, CampaignKind, CampaignStatus, Delivery, Message, SendQueue
from campaigns.personal_data import profile_ids_of
from campaigns.reasons import FAIL_REASONS
from campaigns.rendering.problems import RenderFailure
from campaigns.sending.compose import compose, job_of
from campaigns.sending.sent_log import SentLog
from campaigns.sending.starting import cancel_waiting
from campaigns.services.messages import sender_identity
from cdp.common.errors import CdpError
from cdp.common.faults import Fault, fault_of
from cdp.common.wake import wake
from consent import gate
from consent.models import Purpose
from consent.policy.decisions import Decision
from profiles.keyring import key_ring
from profiles.models import Profile
from profiles.resolution.rows import lock_profiles

#: names the shared row of a message and purpose outside the database: the same one after a restored backup
_NAMES = uuid.UUID("6b0c1d52-6f0f-4f2e-9a2c-6f3d5f0a7c11")
#: so long after a restored backup a request is looked up among what was handed over before it
RESTORED_DAYS = 30
MAX_KEY = 100


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a program asks for. `key` makes the same request the same send, however often it comes."""

    message: Message
    purpose: Purpose
    profile_id: int
    data: Mapping[str, Any]
    key: str


@dataclass(frozen=True)
class _Answer:
    outcome: str
    reason: str
    decision: Decision


@transaction.atomic
def allow_single_sends(*, message_id: int, user: Any) -> Message:
    """Let programs send a message, one person at a time."""
    message = _locked(message_id)
    _check_sender()
    if message.single_sends_since is None:
        message.single_sends_since, message.single_sends_by = timezone.now(), user
        message.save(update_fields=["single_sends_since", "single_sends_by"])
    return message


@transaction.atomic
def stop_single_sends(*, message_id: int) -> int:
    """Take no more single sends of a message, and cancel those that wait; return how many that were."""
    message = _locked(message_id)
    message.single_sends_since = message.single_sends_by = None
    message.save(update_fields=["single_sends_since", "single_sends_by"])
    shared = Campaign.objects.filter(kind=CampaignKind.SINGLE, message=message).order_by("pk")
    return sum(cancel_waiting(campaign_id) for campaign_id in shared.values_list("pk", flat=True))


def send_single(wanted: Wanted) -> tuple[Delivery, bool]:
    """Decide about a message to one person and queue it when it may go; return the decision and whether it is new.

    The gate is asked again before it is handed over. Raises CdpError `send.not_allowed` when programs may not send
    this message, `send.key_reused` when the key came with other data before.
    """
    shared = _shared(wanted.message, wanted.purpose)
    try:
        return _send(shared, wanted)
    except IntegrityError:  # somebody joined into this person meanwhile had it
        found = _known(shared, wanted.profile_id, wanted.key)
        if found is None:
            raise
        return _the_same(found, wanted), False


@transaction.atomic
def _send(shared: Campaign, wanted: Wanted) -> tuple[Delivery, bool]:
    message = Message.objects.select_for_update(no_key=True).get(pk=wanted.message.pk)
    if message.single_sends_since is None or message.archived_at is not None:
        raise not_allowed()
    # Requests for one person wait here for each other, so the second one finds the first.
    lock_profiles([wanted.profile_id])
    if (found := _known(shared, wanted.profile_id, wanted.key)) is not None:
        return _the_same(found, wanted), False
    profile = Profile.objects.get(pk=wanted.profile_id)
    answer = _decide(shared, wanted, profile)
    decision, now = answer.decision, timezone.now()
    allowed = answer.outcome in ("pending", "unknown")
    assert shared.message is not None and shared.message.current_version_id is not None
    version_id = decision.version_id or gate.terms_in_force(wanted.purpose.pk).version_id
    assert version_id is not None
    row = Delivery.objects.create(
        campaign=shared,
        profile_id=profile.pk,
        occurrence=wanted.key,
        outcome=answer.outcome,
        reason=answer.reason,
        consent_record_id=decision.record_id,
        basis=decision.basis if allowed else "",
        purpose_version_id=version_id,
        message_version_id=shared.message.current_version_id,
        address_digest=key_ring().digest("email", decision.address) if allowed else "",
        context={"data": dict(wanted.data)},
        decided_at=now,
        finished_at=None if answer.outcome == "pending" else now,
    )
    if answer.outcome == "pending":
        SendQueue.objects.create(campaign_id=shared.pk, profile_id=profile.pk, occurrence=wanted.key, due_at=Now())
        wake("campaigns.drain_sends")
    return row, True


def _decide(shared: Campaign, wanted: Wanted, profile: Profile) -> _Answer:
    """Ask the gate, and try whether the message can be filled in."""
    answers = gate.check(profile_ids=[profile.pk], purpose_id=wanted.purpose.pk, channel=shared.channel)
    decision = answers.get(profile.pk) or Decision(False, "erased")
    if not decision.allowed:
        return _Answer("skipped", decision.reason, decision)
    try:
        compose(
            job_of(shared),
            profile_id=profile.pk,
            address=decision.address,
            traits=profile.traits,
            message_key=str(uuid.uuid4()),
            data=dict(wanted.data),
        )
    except RenderFailure as failure:
        return _Answer("failed" if failure.reason in FAIL_REASONS else "skipped", failure.reason, decision)
    except Exception as error:  # whatever nobody foresaw is this message's own trouble, unless it is the database's
        if fault_of(error) is Fault.SERVER:
            raise
        return _Answer("failed", "render_error", decision)
    if _perhaps_sent(shared, profile, wanted.key):
        return _Answer("unknown", "sent_before_restore", decision)
    return _Answer("pending", "", decision)


def _perhaps_sent(shared: Campaign, profile: Profile, key: str) -> bool:
    """Tell whether this very message was handed over after the backup was made that the database came from."""
    if shared.restored_at is None or timezone.now() - shared.restored_at > timedelta(days=RESTORED_DAYS):
        return False
    log = SentLog(shared.uuid)
    handed_over = log.handed_over()
    return any(form in handed_over for form in log.forms(profile.uuid, key))


def _shared(message: Message, purpose: Purpose) -> Campaign:
    """Return the row that all single sends of a message for a purpose share, as it has to be now."""
    if message.single_sends_since is None or message.current_version_id is None:
        raise not_allowed()
    _check_sender()
    now = timezone.now()
    made = {
        "name": message.name,
        "uuid": uuid.uuid5(_NAMES, f"{message.uuid}:{purpose.slug}"),
        "status": CampaignStatus.SENDING,
        "started_at": now,
        "audience_built_at": now,
        "sender_identity": sender_identity(),
    }
    shared, _new = Campaign.objects.select_related("purpose", "message__current_version").get_or_create(
        kind=CampaignKind.SINGLE, message=message, purpose=purpose, defaults=made
    )
    if (shared.name, shared.sender_identity) != (made["name"], made["sender_identity"]):
        shared.name, shared.sender_identity = message.name, sender_identity()
        Campaign.objects.filter(pk=shared.pk).update(name=shared.name, sender_identity=shared.sender_identity)
    return shared


def _known(shared: Campaign, profile_id: int, key: str) -> Delivery | None:
    """Return what was decided with this key about the person, or about somebody who was joined into them."""
    rows = Delivery.objects.filter(campaign=shared, profile_id__in=profile_ids_of(profile_id), occurrence=key)
    return rows.first()


def _the_same(found: Delivery, wanted: Wanted) -> Delivery:
    given = found.context.get("data")
    if given is not None and given != dict(wanted.data):
        raise CdpError(
            "send.key_reused",
            _("This key came with other data before; give each message a key of its own."),
            place="idempotency_key",
            status=409,
        )
    return found


def _locked(message_id: int) -> Message:
    message: Message | None = Message.objects.select_for_update().filter(pk=message_id, archived_at=None).first()
    if message is None:
        raise CdpError("message.not_found", _("This message does not exist any more."), status=404)
    return message


def _check_sender() -> None:
    if not sender_identity():
        raise CdpError(
            "send.no_sender",
            _("Nobody is named as the sender: set SENDER_IDENTITY (name and postal address)."),
            status=409,
        )


def not_allowed() -> CdpError:
    """Return the refusal of a message that programs may not send."""
    message = _("Programs may not send this message. Somebody who may send campaigns can allow it on its page.")
    return CdpError("send.not_allowed", message, place="message_id", status=409)
