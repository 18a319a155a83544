"""The pages behind the links of a message: no login, no cookies, nothing that tells who somebody is.

A GET changes nothing, because mail scanners follow every link. A POST acts at once: mail programs send one without
asking (RFC 8058), so it is exempt from CSRF; the signed token is the authority.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.utils.translation import get_language, gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from consent.evidence import evidence_of
from consent.links import NOBODY, Link, read_token
from consent.models import Channel, Purpose
from consent.services.confirming import confirm_by_link
from consent.services.objections import (
    holds_yes,
    marketing_states,
    object_to_marketing,
    save_preferences,
    unsaid_state,
)
from consent.services.purposes import current_text
from consent.services.raising import asked_yes, give, mail_fresh_link, read_fresh
from consent.services.subjects import alive_profiles
from consent.services.unsubscribing import unsubscribe as stop


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button, or act on it."""
    link = read_token(token)
    if link is not None and link.profile_id == NOBODY:
        return test_link(request)
    purpose = Purpose.objects.filter(pk=link.purpose_id).first() if link is not None else None
    if link is None or purpose is None:
        return bad_link(request)
    context: dict[str, Any] = {"token": token, "purpose": purpose, "channel": _channel_label(link.channel)}
    if request.method == "POST":
        one_click = _posted(request).get("List-Unsubscribe") == "One-Click"
        words = gettext("Stop these messages")
        stop(
            link=link,
            one_click=one_click,
            evidence=evidence_of(request, page="/u/", words="" if one_click else words, reference=link.reference),
        )
        alive = alive_profiles([link.profile_id]).get(link.profile_id)
        if alive is not None and not one_click:  # one click is the mail program's, the button is the person's
            confirm_by_link(link, alive)
        context["done"] = True
    return _private(render(request, "consent/unsubscribe.html", context))


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show the topics with their words, and save the choice."""
    link = read_token(token)
    if link is None:
        return bad_link(request)
    if link.profile_id == NOBODY:
        return test_link(request)
    profile_id = alive_profiles([link.profile_id]).get(link.profile_id)
    if profile_id is None:
        return bad_link(request)
    done = _act(request, link, profile_id) if request.method == "POST" else ""
    context = {
        "token": token,
        "topics": topics_of(profile_id),
        "done": done,
        "objected": bool(unsaid_state(marketing_states(profile_id).values())),
    }
    return _private(render(request, "consent/preferences.html", context))


def _act(request: HttpRequest, link: Link, profile_id: int) -> str:
    """Save what the form says; return what was done."""
    posted = _posted(request)
    confirm_by_link(link, profile_id)
    evidence = evidence_of(request, page="/preferences/", reference=link.reference)
    if "stop" in posted:
        words = {"words": gettext("Stop everything: no marketing messages at all")}
        object_to_marketing(
            profile_id=profile_id,
            method="preferences",
            actor="subject",
            evidence={**evidence, **words},
            reference=link.reference,
            seen=True,
        )
        return "stopped"
    on_page = {(purpose.pk, channel) for purpose in _open_purposes() for channel in purpose.channels}
    shown = {f"{purpose_id}:{channel}": (purpose_id, channel) for purpose_id, channel in on_page}
    offered = {shown[key] for key in posted.getlist("offered") if key in shown}
    wanted = {shown[key] for key in posted.getlist("wanted") if key in shown} & offered
    language = get_language() or "en"
    raised = asked_yes(profile_id, wanted)
    save_preferences(
        profile_id=profile_id,
        wanted=wanted - raised,
        offered=offered - raised,
        language=language,
        evidence=evidence,
        reference=link.reference,
    )
    if not raised:
        return "saved"
    return "mailed" if mail_fresh_link(link=link, profile_id=profile_id, boxes=raised, language=language) else "unsent"


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a freshly mailed link gives, with a button; the button gives it."""
    fresh = read_fresh(token)
    if fresh is None:
        return bad_link(request)
    names = Purpose.objects.in_bulk([purpose_id for purpose_id, _channel in fresh.boxes])
    topics = []
    for purpose_id, channel in sorted(fresh.boxes):
        text = current_text(names[purpose_id], fresh.language)
        words = text.text if text is not None else names[purpose_id].description
        topics.append({"name": names[purpose_id].name, "channel": _channel_label(channel), "words": words})
    if request.method == "POST":
        give(fresh, evidence_of(request, page="/preferences/confirm/", words=gettext("Confirm")))
    return _private(render(request, "consent/confirm.html", {"topics": topics, "done": request.method == "POST"}))


def topics_of(profile_id: int) -> list[dict[str, Any]]:
    """Return the topics of the page: purpose, words, and a box per channel."""
    states = marketing_states(profile_id)
    unsaid = unsaid_state(states.values())
    topics = []
    for purpose in _open_purposes():
        text = current_text(purpose, get_language() or "en")
        boxes = [
            {
                "key": f"{purpose.pk}:{channel}",
                "label": _channel_label(channel),
                "on": holds_yes(purpose, states.get((purpose.pk, channel), unsaid)),
            }
            for channel in purpose.channels
        ]
        words = text.text if text is not None else purpose.description
        topics.append({"name": purpose.name, "words": words, "boxes": boxes})
    return topics


def test_link(request: HttpRequest) -> HttpResponse:
    """Explain the link of a test or a preview, which stands for nobody: nothing is shown of anyone, nothing changes."""
    return _private(render(request, "consent/test_link.html"))


def bad_link(request: HttpRequest) -> HttpResponse:
    """Answer every link that is not ours, or no more, in the same way."""
    return _private(render(request, "consent/bad_link.html", status=404))


def _open_purposes() -> list[Purpose]:
    return list(Purpose.objects.filter(active=True, is_marketing=True).order_by("name", "pk"))


def _channel_label(channel: str) -> str:
    return str(dict(Channel.choices).get(channel, channel))


def _posted(request: HttpRequest) -> QueryDict:
    """Return the form; a body that cannot be read counts as an empty one: the POST itself is the wish."""
    try:
        return request.POST
    except MultiPartParserError:
        return QueryDict()


def _private(response: HttpResponse) -> HttpResponse:
    """Keep the address with its token out of other sites' logs and of search engines."""
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
