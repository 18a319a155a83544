"""One person's mail, from the campaign's frame and the person's values."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils.text import slugify

from campaigns.models import Campaign, MessageVersion
from campaigns.rendering.mime import Links, MailFrame, Sender, deliverable
from campaigns.rendering.problems import RenderFailure
from campaigns.sending.context import Template, fill_in, missing_values, person_values, template_of
from consent.links import make_token, preferences_url, unsubscribe_url
from consent.models import Purpose


@dataclass(frozen=True)
class Job:
    """Everything that a campaign's copies share; made once per drain."""

    campaign_id: int
    campaign_uuid: UUID
    purpose_id: int
    channel: str
    basis: str
    envelope_from: str
    template: Template
    frame: MailFrame
    fixed: dict[str, Any]
    version_id: int
    single: bool = False  # one of many to a person, asked for by a program


@dataclass(frozen=True)
class Mail:
    """A mail ready to be handed over, and the values that it was made from."""

    to: str
    content: bytes
    context: dict[str, Any]


def job_of(campaign: Campaign) -> Job:
    """Gather what all copies of a campaign share."""
    version = campaign.message_version
    if campaign.is_single:
        version = campaign.message.current_version if campaign.message else None
    assert campaign.purpose is not None and version is not None
    return Job(
        campaign_id=campaign.pk,
        campaign_uuid=campaign.uuid,
        purpose_id=campaign.purpose.pk,
        channel=campaign.channel,
        basis=campaign.purpose.basis,
        envelope_from=deliverable(version.from_email),
        template=template_of(version),
        frame=frame_of(version, campaign.purpose, f"campaign-{campaign.pk}"),
        fixed=fixed_values(campaign.purpose, campaign.sender_identity),
        version_id=version.pk,
        single=campaign.is_single,
    )


def frame_of(version: MessageVersion, purpose: Purpose, name: str, *, test: bool = False) -> MailFrame:
    """Return the frame of a version's mails: who sends, and what list they belong to."""
    sender = Sender(version.from_name, deliverable(version.from_email), version.reply_to)
    domain = urlsplit(settings.SITE_URL).hostname or "localhost"
    slug = slugify(purpose.slug) or "purpose"
    return MailFrame(
        sender,
        list_name=purpose.name,
        list_id=f"{slug}.{domain}",
        feedback_id=f"{name}:{slug}:klantbeeld:{sender.address.rpartition('@')[2]}",
        test=test,
    )


def fixed_values(purpose: Purpose, identity: str) -> dict[str, Any]:
    """Return the part of the context that is the same for everybody."""
    return {
        "purpose": {"name": purpose.name, "basis": purpose.basis},
        "sender": {"identity": identity},
    }


def links_of(*, profile_id: int, purpose_id: int, channel: str, reference: str) -> dict[str, str]:
    """Return one person's way out: a token that cannot be guessed, tied to this person, purpose and mail."""
    token = make_token(profile_id=profile_id, purpose_id=purpose_id, channel=channel, reference=reference)
    return {"unsubscribe": unsubscribe_url(token), "preferences": preferences_url(token)}


def compose(
    job: Job,
    *,
    profile_id: int,
    address: str,
    traits: dict[str, Any],
    message_key: str,
    data: dict[str, Any] | None = None,
) -> Mail:
    """Return the mail of one person; raise RenderFailure with the reason why there can be none."""
    values = person_values(traits, job.template.keys)
    if missing := missing_values(values, job.template.required, data):
        raise RenderFailure("missing_field", ", ".join(missing))
    try:
        to = deliverable(address)
    except (ValueError, UnicodeError):
        raise RenderFailure("invalid_address") from None
    context = {"person": values, **job.fixed, **({"data": data or {}} if job.single else {})}
    links = links_of(
        profile_id=profile_id,
        purpose_id=job.purpose_id,
        channel=job.channel,
        reference=f"send:{message_key}" if job.single else f"delivery:{job.campaign_id}:{profile_id}",
    )
    copy = fill_in(job.template, context, links)
    content = job.frame.fill(
        to=to,
        subject=copy.subject,
        text=copy.text,
        html=copy.html,
        message_key=message_key,
        links=Links(links["unsubscribe"]),
        at=time.time(),
    )
    return Mail(to=to, content=content, context=context)
