"""What waits for a person's decision, and what a new installation still lacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Max
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.counting import capped_count
from cdp.common.models import DeadLetter, Heartbeat
from profiles.models import Merge, Profile, RejectedMessage, Source
from profiles.models.identity import MergeState
from profiles.querysets.refusals import lasting_refusals

Reader = User | AnonymousUser
#: a process that gave no sign for so long is taken for dead
SILENCE = timedelta(minutes=3)


@dataclass(frozen=True, kw_only=True)
class Need:
    """A line of "Needs a person"."""

    chip: str
    text: str
    tone: str = "warn"
    url: str = ""
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the first-run checklist. `model` tells by its rows whether the step was taken."""

    title: Any
    text: Any
    action: Any
    url_name: str
    model: str
    permission: str


STEPS = (
    Step(
        title=gettext_lazy("Connect a source"),
        text=gettext_lazy("A website, app or server that tells what people do. You get a key and a snippet to paste."),
        action=gettext_lazy("Sources"),
        url_name="profiles:sources",
        model="profiles.Source",
        permission="profiles.view_source",
    ),
    Step(
        title=gettext_lazy("Import contacts"),
        text=gettext_lazy("A CSV of the people you know. You see what would happen before anything does."),
        action=gettext_lazy("Import"),
        url_name="profiles:imports",
        model="profiles.Import",
        permission="profiles.view_import",
    ),
    Step(
        title=gettext_lazy("Define a purpose"),
        text=gettext_lazy(
            "What you ask people's permission for, in the words they will see. Nothing is sent without one."
        ),
        action=gettext_lazy("Purposes"),
        url_name="consent:purposes",
        model="consent.Purpose",
        permission="consent.view_purpose",
    ),
    Step(
        title=gettext_lazy("Build a segment"),
        text=gettext_lazy("A group of people by who they are and what they did. It keeps itself up to date."),
        action=gettext_lazy("Segments"),
        url_name="segments:new",
        model="segments.Segment",
        permission="segments.add_segment",
    ),
    Step(
        title=gettext_lazy("Write a message and send a test"),
        text=gettext_lazy("See it as a person of your choice would, then send it to yourself."),
        action=gettext_lazy("Messages"),
        url_name="campaigns:messages",
        model="campaigns.Message",
        permission="campaigns.view_message",
    ),
)


def needs_of(user: Reader) -> list[Need]:
    """Return what waits for this reader, most urgent first."""
    needs: list[Need] = []
    if user.has_perm("common.view_heartbeat"):
        needs += _silent_processes()
    if user.has_perm("common.view_deadletter") and (count := capped_count(DeadLetter.objects.all())):
        text = _("Items that a queue gave up on")
        needs.append(Need(chip="", count=count, text=text, tone="bad", url=_address("dead_letters")))
    if user.has_perm("profiles.merge_profile") and (
        count := capped_count(Merge.objects.filter(state=MergeState.QUARANTINED))
    ):
        needs.append(
            Need(
                chip="",
                count=count,
                text=_("Merges of two people to review"),
                url=_address("profiles:merges", "?state=quarantined"),
            )
        )
    if user.has_perm("profiles.view_rejectedmessage"):
        rejected = RejectedMessage.objects.filter(resolved_at=None)
        if count := capped_count(rejected):
            needs.append(Need(chip="", count=count, text=_("Events rejected"), url=_address("profiles:rejected")))
    if user.has_perm("profiles.view_source") and (count := capped_count(lasting_refusals())):
        text = _("Senders that are set up wrong, for an hour and more")
        needs.append(Need(chip="", count=count, text=text, url=_address("profiles:sources", "#refused")))
    return needs


def _silent_processes() -> list[Need]:
    last = Heartbeat.objects.aggregate(at=Max("at"))["at"]
    if last is not None and timezone.now() - last < SILENCE:
        return []
    text = _("The worker gives no sign: events wait and nothing is sent")
    return [Need(chip=_("stopped"), text=text, tone="bad", url=_address("health"))]


def checklist_of(user: Reader) -> list[dict[str, Any]]:
    """Return the first steps with what is done; empty once people have come in."""
    if Profile.objects.exists():
        return []
    return [
        {
            "title": step.title,
            "text": step.text,
            "action": step.action,
            "done": _taken(step),
            "url": _address(step.url_name),
        }
        for step in STEPS
        if user.has_perm(step.permission)
    ]


def _taken(step: Step) -> bool:
    if step.model == "profiles.Source":
        return Source.objects.filter(kind__in=("browser", "server")).exists()
    return bool(apps.get_model(step.model)._default_manager.exists())


def _address(name: str, query: str = "") -> str:
    try:
        return reverse(name) + query
    except NoReverseMatch:
        return ""
