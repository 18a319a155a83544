"""What is looked at before a campaign may go: some stop it, some only ask for a look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.audience import version_of
from campaigns.forecast import Forecast, forecast
from campaigns.models import Campaign
from campaigns.rendering.problems import TemplateProblem
from campaigns.sending.context import MADE, template_of
from campaigns.services.messages import check_content, content_of, sender_identity
from consent.models import Purpose
from profiles.models import CatalogueEntry
from segments.models import Segment

Level = Literal["ok", "look", "stop"]
#: an audience that is more than this part of everybody asks for a typed confirmation
MOST_OF_BASE = 0.5
SMALL = 20  # below this many people nobody is asked to type a number


@dataclass(frozen=True)
class Check:
    """One line of the Check step."""

    code: str
    level: Level
    message: str


def checks_of(campaign: Campaign, counted: Forecast | None) -> list[Check]:
    """Return every check with its result; `stop` keeps the campaign from being scheduled.

    `counted` is the forecast; None while it cannot be made, as no segment or purpose is chosen.
    """
    return [
        *_audience_checks(campaign),
        *_purpose_checks(campaign),
        *_message_checks(campaign),
        *(_people_checks(counted) if counted is not None else []),
        _mail_server_check(),
    ]


def forecast_of(campaign: Campaign) -> Forecast | None:
    """Return the forecast that checks and confirmation share; None while a segment or purpose is missing."""
    return forecast(campaign) if campaign.segment_id and campaign.purpose_id else None


def blocking(checks: Iterable[Check]) -> list[Check]:
    """Return the checks that stand in the way."""
    return [check for check in checks if check.level == "stop"]


def needs_confirmation(counted: Forecast | None) -> int:
    """Return how many people to type when the audience is most of the base; 0 when no typing is needed."""
    people = counted.will_be_sent if counted is not None else 0
    if people < SMALL:
        return 0
    enough = int(people / MOST_OF_BASE) + 1
    with connection.cursor() as cursor:  # bounded: counts no further than needed to know
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM profiles_profile WHERE merged_into_id IS NULL AND erased_at IS NULL "
            "AND email <> '' LIMIT %s) AS people",
            [enough],
        )
        base = int(cursor.fetchone()[0])
    return people if people > base * MOST_OF_BASE else 0


def _audience_checks(campaign: Campaign) -> list[Check]:
    if campaign.segment_id is None:
        return [Check("segment_missing", "stop", _("Choose who gets it: no segment is chosen."))]
    wanted = [campaign.segment_id, *campaign.exclude_segment_ids]
    bad = [row.name for row in Segment.objects.filter(pk__in=wanted).exclude(status="live")]
    if bad:
        return [
            Check(
                "segment_broken",
                "stop",
                _("Broken or put away: %(names)s. Correct the segment first.") % {"names": ", ".join(bad)},
            )
        ]
    # Without a refresh since its last change a segment holds the members of its former rule, or none.
    stale = [row.name for row in Segment.objects.filter(pk__in=wanted, refreshed_at=None)]
    if stale:
        words = _("Not counted yet: %(names)s. Wait a moment and reload.")
        return [Check("segment_stale", "stop", words % {"names": ", ".join(stale)})]
    return [Check("segment_fresh", "ok", _("The segment is live and up to date."))]


def _purpose_checks(campaign: Campaign) -> list[Check]:
    purpose = campaign.purpose
    if purpose is None:
        return [Check("purpose_missing", "stop", _("Choose why: a mail needs a purpose that people agreed to."))]
    if not purpose.active:
        return [Check("purpose_inactive", "stop", _("The purpose “%(name)s” is not active.") % {"name": purpose.name})]
    if campaign.channel not in purpose.channels:
        return [
            Check(
                "purpose_channel", "stop", _("The purpose “%(name)s” is not meant for mail.") % {"name": purpose.name}
            )
        ]
    active = Check(
        "purpose_active", "ok", _("The purpose is active; permission is asked again at the moment of sending.")
    )
    return [active, *_necessity_checks(campaign, purpose)]


_SAID_NO = """
SELECT count(DISTINCT m.profile_id) FROM segments_membership m
JOIN consent_consentstate s ON s.profile_id = m.profile_id AND s.state IN ('objected', 'withdrawn', 'refused')
JOIN consent_purpose p ON p.id = s.purpose_id AND p.is_marketing
WHERE m.segment_id = %s
"""


def _necessity_checks(campaign: Campaign, purpose: Purpose) -> list[Check]:
    """Ask for a reason before people who said no to marketing are written to for another purpose.

    A no to marketing does not stop what a contract or the law demands, nor should it: a recall must reach everybody.
    Nobody can tell by program whether a message advertises. So who sends says why these people need it, and that stays
    with the campaign.
    """
    if purpose.is_marketing or campaign.segment_id is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_SAID_NO, [campaign.segment_id])
        people = int(cursor.fetchone()[0])
    words = {"name": purpose.name, "people": people, "reason": campaign.necessary_because}
    if not people:
        message = _("“%(name)s” is no marketing, so no advertising may be in the message.") % words
        return [Check("necessary", "look", message)]
    if not campaign.necessary_because:
        message = ngettext(
            "“%(name)s” is no marketing, so %(people)s person who said no to marketing gets it too. Say above why they "
            "need it, or choose a purpose that is marketing.",
            "“%(name)s” is no marketing, so %(people)s people who said no to marketing get it too. Say above why they "
            "need it, or choose a purpose that is marketing.",
            people,
        )
        return [Check("necessary_unexplained", "stop", message % words)]
    message = ngettext(
        "%(people)s person who said no to marketing gets it too, because: %(reason)s. No advertising may be in it.",
        "%(people)s people who said no to marketing get it too, because: %(reason)s. No advertising may be in it.",
        people,
    )
    return [Check("necessary", "look", message % words)]


def _message_checks(campaign: Campaign) -> list[Check]:
    version = version_of(campaign)
    if version is None:
        return [Check("message_missing", "stop", _("Choose what they get: no message is chosen."))]
    if not sender_identity():
        return [
            Check(
                "sender_identity",
                "stop",
                _("Nobody is named as the sender: set SENDER_IDENTITY (name and postal address)."),
            )
        ]
    try:
        compiled = check_content(content_of(version), known_traits=known_traits())
    except TemplateProblem as problem:
        return [Check("message_broken", "stop", f"{problem.place}: {problem.message}")]
    if wanted := sorted(template_of(version).data_keys):
        names = ", ".join(f"data.{name}" for name in wanted)
        message = _("The message needs values that only a single send by the API brings: %(names)s.")
        return [Check("message_needs_data", "stop", message % {"names": names})]
    checks = [
        Check("message_renders", "ok", _("The message compiles, in HTML and plain text.")),
        Check("way_out", "ok", _("Unsubscribe, preferences and the sender's identity are in every mail.")),
    ]
    checks += [Check(warning.code, "look", warning.message) for warning in compiled.warnings]
    return checks


def _people_checks(counted: Forecast) -> list[Check]:
    """Say what of the message leaves people out."""
    checks = []
    if missing := counted.skipped.get("missing_field", 0):
        message = ngettext(
            "%(people)s person lacks a value that the message needs and is left out.",
            "%(people)s people lack a value that the message needs and are left out.",
            missing,
        ) % {"people": missing}
        checks.append(Check("required_traits", "look", message))
    if failed := len(counted.trial.failed):
        message = ngettext(
            "The message cannot be filled in for %(people)s of the %(tried)s people it was tried with.",
            "The message cannot be filled in for %(people)s of the %(tried)s people it was tried with.",
            failed,
        ) % {"people": failed, "tried": counted.trial.tried}
        if not counted.trial.whole:
            message += " " + _("The others are not counted yet, so fewer than foreseen may get it.")
        checks.append(Check("render_errors", "look", message))
    return checks


def _mail_server_check() -> Check:
    if settings.CAPTURE_MAIL:
        return Check(
            "capture", "look", _("Mail goes to the local mailbox and leaves for nobody: EMAIL_URL is not set.")
        )
    return Check("mail_server", "ok", _("Mail goes out by %(host)s.") % {"host": settings.MAIL_SERVER.host})


def known_traits() -> set[str]:
    """Return what a message can mention of people: the traits of the catalogue, and what is put together of them."""
    return {*CatalogueEntry.objects.traits().values_list("path", flat=True), *MADE}
