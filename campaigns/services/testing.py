"""Send a test to oneself: the same frame, template and connection as a real mail, marked [Test]."""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.models import MessageVersion
from campaigns.rendering.mime import Links, deliverable
from campaigns.rendering.problems import RenderFailure
from campaigns.sending.compose import fixed_values, frame_of
from campaigns.sending.context import Copy, Template, fill_in, missing_values, person_values, template_of
from campaigns.services.messages import sender_identity
from campaigns.smtp import Patience, SmtpSession
from cdp.common.errors import CdpError
from consent.links import NOBODY, make_token, preferences_url, unsubscribe_url
from consent.models import Purpose
from profiles.models import Profile

#: with the mail server, while a person waits for the page
PAGE_PATIENCE = Patience(
    connect=5, greeting=5, hello=5, tls=5, login=5, mail=5, rcpt=5, data=5, body=10, dot=15, goodbye=1
)

#: somebody who does not exist, for previews before anybody is chosen
SAMPLE_PERSON: dict[str, Any] = {
    "first_name": "Anna",
    "name_infix": "de",
    "last_name": "Vries",
    "name": "Anna de Vries",
    "email": "anna@shop.example",
    "city": "Utrecht",
    "country": "NL",
    "plan": "pro",
    "company": "De Vries BV",
}


def send_test(*, version: MessageVersion, purpose: Purpose | None, to: str, profile: Profile | None = None) -> str:
    """Send `version`, filled in for `profile` (or a sample person), to `to`; return the server's reply.

    Its links carry a token of nobody, so a click in the test takes nobody off any list.
    """
    try:
        recipient = deliverable(to)
    except (ValueError, UnicodeError):
        raise CdpError("test.no_address", _("Your account has no mail address; add one first."), place="to") from None
    mark = _("Test")
    purpose = purpose or Purpose(slug="test", name=mark, basis="consent")
    copy, links = preview(version=version, purpose=purpose, profile=profile)
    content = frame_of(version, purpose, "test", test=True).fill(
        to=recipient,
        subject=f"[{mark}] {copy.subject}",
        text=copy.text,
        html=copy.html,
        message_key=str(uuid.uuid4()),
        links=Links(links["unsubscribe"]),
        at=time.time(),
    )
    with SmtpSession(settings.MAIL_SERVER, patience=PAGE_PATIENCE) as session:
        result = session.send(deliverable(version.from_email), recipient, content)
    if result.outcome != "sent":
        raise CdpError(
            "test.not_sent",
            _("The mail server did not take the test: %(reply)s") % {"reply": result.reply or result.outcome},
            status=502,
        )
    return result.reply


def preview(
    *, version: MessageVersion, purpose: Purpose | None, profile: Profile | None
) -> tuple[Copy, dict[str, str]]:
    """Return a version as a person would see it, with links that do nothing; raise CdpError when it does not render."""
    template = template_of(version)
    traits = profile.traits if profile is not None else SAMPLE_PERSON
    values = person_values(traits, template.keys)
    if missing := missing_values(values, template.required, sample_data(template)):
        raise CdpError(
            "preview.missing_field",
            _("This person lacks %(fields)s and would be left out.") % {"fields": ", ".join(missing)},
        )
    links = idle_links(purpose)
    stored = {
        "person": values,
        "data": sample_data(template),
        **fixed_values(purpose or Purpose(slug="-", name="…", basis="consent"), sender_identity()),
    }
    try:
        return fill_in(template, stored, links), links
    except RenderFailure as failure:
        raise CdpError(
            "preview.render_error",
            _("The message cannot be filled in for this person: %(reason)s")
            % {"reason": failure.detail or failure.reason},
        ) from None


def sample_data(template: Template) -> dict[str, str]:
    """Return what a program might give along with a message: for each value its own name."""
    return {key: key.replace("_", " ").strip() or key for key in sorted(template.data_keys)}


def idle_links(purpose: Purpose | None) -> dict[str, str]:
    """Return links of nobody: they look and verify like real ones and change nothing."""
    token = make_token(
        profile_id=NOBODY, purpose_id=(purpose.pk if purpose else 0) or 0, channel="email", reference="test"
    )
    return {"unsubscribe": unsubscribe_url(token), "preferences": preferences_url(token)}
