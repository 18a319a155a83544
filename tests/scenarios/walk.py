"""Ways to every address of the site: what there is, how to fill it in, and how to ask without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse

from campaigns.models import Campaign, Message
from consent.models import ConsentRecord, Suppression
from profiles.models import CatalogueEntry, Import, Profile, RejectedMessage
from tests.scenarios.installation import user_of

ARGUMENTS: dict[str, list[Any]] = {
    "profiles:kind": ["user_id"], "profiles:segment_profiles": ["space", "user_id:x", "traits"],
    "mailbox_mail": ["mail"], "mailbox_html": ["mail"], "profiles:settle_merge": ["merge"],
    "profiles:undo_merge": ["person", "merge"], "profiles:live_raw": ["raw_id", 0],
    "profiles:rejected_detail": ["rejected"], "profiles:rejected_discard": ["rejected"],
    "profiles:import_act": ["import", "cancel"], "consent:unsubscribe": ["token"], "consent:preferences": ["token"],
    "consent:confirm": ["token"],
    "profiles:catalogue_entry": ["catalogue"], "profiles:catalogue_describe": ["catalogue"],
    "profiles:catalogue_forget": ["catalogue"], "consent:record": ["record"],
    "consent:erasure": ["erasure"],
    "consent:suppression_lift": ["suppression"], "segments:why": ["segment", "person"],
    "segments:list_job": ["list_job"], "segments:list_edit": ["list"], "segments:list_paste": ["list"],
    "segments:list_remove": ["list"], "segments:list_clear": ["list"],
    "campaigns:version_frame": ["version"], "campaigns:message_version": ["message", 1],
    "retention_class": ["rejected_messages"], "campaigns:deliveries": ["running"], "campaigns:progress": ["running"],
    "campaigns:delivery": ["running", "delivery"], "campaigns:delivery_mail": ["running", "delivery"],
    "dead_letter_retry": ["dead_letter"], "dead_letter_discard": ["dead_letter"],
}  # fmt: skip
BY_NUMBER = (Campaign, ConsentRecord, Import, Message, Suppression, CatalogueEntry, RejectedMessage)
BY_ROUTE_WORD = {"uuid": "person", "import_id": "import", "message_id": "message", "campaign_id": "campaign"}


def routes(
    patterns: list[Any] | None = None, prefix: str = "", spaces: str = ""
) -> Iterator[tuple[str, URLPattern, str]]:
    """Yield (name, pattern, whole route) of everything that answers."""
    for item in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(item.pattern)
        if isinstance(item, URLPattern):
            yield f"{spaces}{item.name}", item, route
        else:
            yield from routes(item.url_patterns, route, spaces + (f"{item.namespace}:" if item.namespace else ""))


def browser_of(role: str) -> Client:
    """Return a browser signed in as that role."""
    client = Client(raise_request_exception=False)
    if role:
        client.force_login(user_of(role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def ask(client: Client, method: str, path: str, **options: Any) -> Any:
    """Ask, and leave everything as it was."""
    cookies = deepcopy(client.cookies)
    with transaction.atomic():
        answer = client.generic(method, path, **options)
        client.cookies = cookies
        if not answer.streaming:
            answer.content  # noqa: B018 - templates may be rendered late
        transaction.set_rollback(True)
    return answer


def address(name: str, route: str, world: dict[str, Any]) -> str:
    """Return the address of a name, filled with what the world holds."""
    words = ARGUMENTS.get(name, [])
    if not words:
        holes = [hole.split(":")[-1].rstrip(">") for hole in route.split("<")[1:]]
        names = [hole.split(">")[0] for hole in holes]
        words = [
            BY_ROUTE_WORD.get(word) or ("purpose" if name.startswith("consent:") else slug_of(name)) for word in names
        ]
    values = [value_of(world.get(word, word) if isinstance(word, str) else word) for word in words]
    return reverse(name, args=values)


def slug_of(name: str) -> str:
    """Return what the slug in an address names."""
    return "segment" if name.startswith("segments:") else "source"


def value_of(thing: Any) -> Any:
    """Return what stands for a thing in an address."""
    # These have a uuid for the API; the address of their page is their number.
    keys = ("pk",) if isinstance(thing, BY_NUMBER) else ("slug", "uuid", "pk")
    for key in keys:
        if value := getattr(thing, key, None):
            return value
    return thing


def erased_uuid(world: dict[str, Any]) -> Any:
    """Return the id of the person who was erased."""
    return Profile.objects.get(pk=world["erasure"].profile_id).uuid


def api_arguments(name: str, world: dict[str, Any]) -> list[Any]:
    """Return what the address of an API route holds."""
    with suppress(NoReverseMatch):
        reverse(name)
        return []
    keys = {
        "profiles": world["person"].uuid, "sources": world["source"].slug, "imports": world["import"].uuid,
        "consent-records": world["record"].uuid, "purposes": world["purpose"].slug, "permissions": world["person"].uuid,
        "lists": world["list"].slug, "exports": world["export"].uuid, "catalogue": world["catalogue"].uuid,
        "rejected-events": world["rejected"].uuid, "erasures": erased_uuid(world),
        "sends": world["send"].uuid,
        "segments": world["segment"].slug, "messages": world["message"].uuid, "campaigns": world["campaign"].uuid,
        "deliveries": world["delivery"].uuid,
    }  # fmt: skip
    return [next(keys[kind] for kind in sorted(keys, key=len, reverse=True) if name.startswith(f"{kind}-"))]
