"""Send one plain letter to one person, beside campaigns: what they asked for a moment ago on a page of ours."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr

from django.conf import settings
from django.utils import timezone

from campaigns.rendering.mime import deliverable, mailbox
from campaigns.services.messages import sender_identity
from campaigns.services.testing import PAGE_PATIENCE
from campaigns.smtp import SmtpSession


def send_letter(to: str, subject: str, text: str) -> bool:
    """Hand the letter to the mail server while the page waits; tell whether it was taken."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    try:
        recipient, sender = deliverable(to), deliverable(address)
    except (ValueError, UnicodeError):
        return False
    letter = EmailMessage(policy=SMTP)
    letter["From"], letter["To"], letter["Subject"] = mailbox(name, sender), recipient, subject
    letter["Date"] = format_datetime(timezone.now())
    letter["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-replied"
    letter.set_content(f"{text}\n\n--\n{sender_identity()}\n")
    with SmtpSession(settings.MAIL_SERVER, patience=PAGE_PATIENCE) as session:
        return session.send(sender, recipient, letter.as_bytes()).outcome == "sent"
