"""What the privacy officer does with one person: record what was data, take out the evidence, erase."""

from __future__ import annotations

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from cdp.common.access import record_access, record_look
from cdp.common.errors import CdpError
from cdp.common.guards import needs
from cdp.common.registry import personal_data
from consent.evidence import evidence_of
from consent.forms import EraseForm, StatementForm
from consent.models import Channel, Purpose
from consent.personal_data import collect_consent_data
from consent.policy.states import OBJECTED
from consent.services.erasing import erase_person
from consent.services.objections import marketing_topics, object_to_marketing
from consent.services.recording import record_consent
from profiles.models import Profile


def alive_or_404(uuid: UUID) -> Profile:
    """Return a person that is neither erased nor joined into another."""
    return get_object_or_404(Profile.objects.alive(), uuid=uuid)


def topic_choices() -> list[tuple[str, str]]:
    """Return purpose and channel in one choice."""
    labels = dict(Channel.choices)
    return [
        (f"{purpose.pk}:{channel}", f"{purpose.name}: {labels.get(channel, channel)}")
        for purpose in Purpose.objects.filter(active=True)
        for channel in purpose.channels
    ]


@needs("consent.add_consentrecord")
@require_http_methods(["GET", "POST"])
def record_statement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record what a person said by letter, phone or paper."""
    profile = alive_or_404(uuid)
    record_look(request, "profile.statement_begun", [profile])
    form = StatementForm(request.POST or None, topics=topic_choices(), initial={"state": request.GET.get("state", "")})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        proof = evidence_of(request, page=request.path, proof=data["proof"])
        purpose_id, _colon, channel = data["topic"].partition(":")
        try:
            if data["state"] == OBJECTED:
                object_to_marketing(profile_id=profile.pk, method=data["method"], actor=request.user, evidence=proof)
            else:
                record_consent(
                    profile_id=profile.pk,
                    purpose=int(purpose_id),
                    channel=channel,
                    state=data["state"],
                    method=data["method"],
                    actor=request.user,
                    evidence=proof,
                )
        except CdpError as error:
            form.add_error("proof" if error.place == "evidence" else None, error.message)
        else:
            messages.success(request, recorded_text(data["state"]))
            return redirect("profiles:person", uuid=uuid)
    context = {"person": profile, "form": form, "marketing": marketing_topics()}
    return render(request, "consent/statement.html", context, status=422 if form.errors else 200)


def recorded_text(state: str) -> str:
    """Say what a statement did; an objection ends more than one topic."""
    topics = ", ".join(marketing_topics())
    if state != OBJECTED or not topics:
        return _("Recorded. It took effect at once.")
    return _("Recorded. All direct marketing to this person has ended, by every channel: %(topics)s.") % {
        "topics": topics
    }


@needs("consent.view_consentrecord")
@require_POST
def evidence(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give the evidence of a person's permissions as JSON (GDPR art. 7(1)); noted in the access log."""
    profile = alive_or_404(uuid)
    record_access(request=request, action="consent.evidence_exported", object_kind="profile", object_id=str(uuid))
    body = {"id": str(uuid), "exported_at": timezone.now().isoformat(), **collect_consent_data(profile.pk)}
    response = HttpResponse(
        json.dumps(body, ensure_ascii=False, indent=2, default=str), content_type="application/json; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="consent-{uuid}.json"'
    response["Cache-Control"] = "no-store"
    return response


@needs("profiles.erase_profile")
@require_http_methods(["GET", "POST"])
def erase(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show what an erasure removes, in numbers; after the typed word, erase."""
    profile = alive_or_404(uuid)
    record_look(request, "profile.erasure_begun", [profile])
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            receipt = erase_person(profile_id=profile.pk, actor=request.user, reason=form.cleaned_data["reason"])
        except CdpError as error:
            form.add_error(None, error.message)
            context = {"person": profile, "form": form, "holdings": holdings(profile.pk)}
            return render(request, "consent/erase.html", context, status=error.status)
        record_access(
            request=request,
            action="profile.erased",
            object_kind="profile",
            object_id=str(uuid),
            detail={"rows": sum(receipt.counts.values())},
        )
        messages.success(request, _("The person is erased. This is the receipt."))
        return redirect("consent:erasure", receipt.pk)
    context = {"person": profile, "form": form, "holdings": holdings(profile.pk)}
    return render(request, "consent/erase.html", context, status=422 if form.errors else 200)


def holdings(profile_id: int) -> list[tuple[str, str, int]]:
    """Return (app, what, how many) of everything that is held about a person."""
    found = []
    for name, holder in personal_data.items():
        for key, value in holder.collect(profile_id).items():
            if isinstance(value, (list, dict)):
                found.append((name, key.replace("_", " "), len(value)))
    return found
