"""Write messages: every save is a new, compiled, immutable version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import BodyFormat, Campaign, Message, MessageVersion
from campaigns.rendering.compiling import Compiled, Draft, compile_message
from campaigns.rendering.mime import one_line
from campaigns.rendering.problems import TemplateProblem
from cdp.common.errors import CdpError


@dataclass(frozen=True, kw_only=True)
class Content:
    """What the writer gave."""

    subject: str
    body: str
    preheader: str = ""
    format: str = BodyFormat.LETTER
    from_name: str = ""
    from_email: str = ""
    reply_to: str = ""
    required_traits: list[str] = field(default_factory=list)


@transaction.atomic
def create_message(*, name: str, content: Content, actor: Any) -> Message:
    """Create a message with its first version; raise CdpError with the place of what is wrong."""
    compiled = check_content(content)
    message = Message.objects.create(name=_checked_name(name), created_by=actor)
    _add_version(message, content, compiled, actor)
    return message


@transaction.atomic
def update_message(*, message_id: int, name: str, content: Content, actor: Any) -> Message:
    """Save a change as a new version; the same content again makes none. Scheduled campaigns keep theirs."""
    message: Message | None = Message.objects.select_for_update().filter(pk=message_id, archived_at=None).first()
    if message is None:
        raise CdpError("message.not_found", _("This message does not exist any more."), status=404)
    compiled = check_content(content)
    message.name = _checked_name(name)
    message.changed_at = timezone.now()
    message.save(update_fields=["name", "changed_at"])
    current = message.current_version
    if current is None or content_of(current) != content:
        _add_version(message, content, compiled, actor)
    return message


@transaction.atomic
def archive_message(*, message_id: int) -> Message:
    """Put a message away; its versions stay, for what was sent."""
    message: Message | None = Message.objects.select_for_update().filter(pk=message_id).first()
    if message is None:
        raise CdpError("message.not_found", _("This message does not exist any more."), status=404)
    if names := list(Campaign.objects.committed().filter(message=message).values_list("name", flat=True)[:5]):
        raise CdpError(
            "message.in_use",
            _("Campaigns under way send this message: %(names)s. End or change those first.")
            % {"names": ", ".join(names)},
            status=409,
        )
    message.archived_at = timezone.now()
    message.save(update_fields=["archived_at"])
    return message


def check_content(content: Content, known_traits: set[str] | None = None) -> Compiled:
    """Check and compile; raise CdpError naming field, line and remedy."""
    if content.format not in BodyFormat.values:
        raise CdpError("message.format_unknown", _("The format is letter or mjml."), place="format")
    if not content.subject.strip():
        raise TemplateProblem(_("Write a subject: a mail without one is often taken for spam."), field="subject")
    if not content.body.strip():
        raise TemplateProblem(_("The message is empty; write a line or begin with an example."), field="body")
    for name, limit in (("subject", 250), ("preheader", 250), ("from_name", 100)):
        value = getattr(content, name)
        if len(value) > limit:
            raise TemplateProblem(_("At most %(limit)s characters.") % {"limit": limit}, field=name)
        if value != one_line(value):
            raise TemplateProblem(_("This must be one line, without line breaks or control characters."), field=name)
    for name, needed in (("from_email", True), ("reply_to", False)):
        _check_address(name, getattr(content, name), needed)
    if any(not key.strip() or len(key) > 100 for key in content.required_traits) or len(content.required_traits) > 50:
        raise CdpError("message.required_invalid", _("Name at most 50 traits."), place="required_traits")
    draft = Draft(subject=content.subject, body=content.body, format=content.format, preheader=content.preheader)
    return compile_message(draft, known_traits=known_traits)


def content_of(version: MessageVersion) -> Content:
    """Return what the writer gave for a version."""
    return Content(
        subject=version.subject,
        body=version.body,
        preheader=version.preheader,
        format=version.format,
        from_name=version.from_name,
        from_email=version.from_email,
        reply_to=version.reply_to,
        required_traits=list(version.required_traits),
    )


def sender_identity() -> str:
    """Return who answers for the mail, as the footer shows it."""
    return str(settings.SENDER_IDENTITY).strip()


def _check_address(name: str, value: str, needed: bool) -> None:
    if not value and not needed:
        return
    try:
        validate_email(value)
        value.encode("ascii")
    except (ValidationError, UnicodeError):
        raise TemplateProblem(_("Give a mail address such as hello@shop.example."), field=name) from None


def _checked_name(name: str) -> str:
    name = one_line(name)
    if not name or len(name) > 120:
        raise CdpError("message.name_invalid", _("Give a name of at most 120 characters."), place="name")
    return name


def _add_version(message: Message, content: Content, compiled: Compiled, actor: Any) -> MessageVersion:
    number = (message.current_version.number if message.current_version else 0) + 1
    version = MessageVersion.objects.create(
        message=message,
        number=number,
        subject=content.subject,
        preheader=content.preheader,
        body=content.body,
        format=content.format,
        from_name=content.from_name,
        from_email=content.from_email,
        reply_to=content.reply_to,
        required_traits=content.required_traits,
        compiled_html=compiled.html,
        compiled_text=compiled.text,
        created_by=actor,
    )
    message.current_version = version
    message.save(update_fields=["current_version"])
    return version
