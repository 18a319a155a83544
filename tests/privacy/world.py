"""People whose data is named and shaped in every way that sources think of, and one of all that speaks of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.models import Delivery
from cdp.common.models import AccessLog, DeadLetter
from cdp.mailbox.store import MailStore
from consent.services import record_consent
from profiles.catalogue.store import new_tally, write
from profiles.models import Identifier, Interaction, Profile, RejectedMessage, Source
from profiles.models.identity import MergeState
from segments import services as segments
from segments.membership import refresh_segment
from tests.privacy.secrets import Secrets
from tests.profiles.factories import make_identifier, make_merge, make_trait_change
from tests.profiles.importing.helpers import checked, confirm
from tests.scenarios import world as scenarios


def make_secret_world(box: MailStore) -> tuple[dict[str, Any], Secrets]:
    """Make one of everything, and return it with what must not be seen of it."""
    secrets = Secrets()
    world = scenarios.make_world(box)
    for value in scenarios.SECRETS:
        secrets.note(value, "scenarios")
    person = _person(world["person"], secrets)
    _events(person, world["source"], secrets)
    _history(person, secrets)
    _identity(person, secrets)
    _segments(person, world, secrets)
    _imports(secrets)
    _leftovers(world, secrets)
    return world, secrets


def _person(person: Profile, secrets: Secrets) -> Profile:
    person.traits |= {
        "voornaam": secrets.word("trait voornaam"),
        "achternaam": secrets.word("trait achternaam"),
        "Straße": secrets.word("trait Straße"),
        "имя": secrets.word("trait имя"),
        "x1": secrets.word("trait x1"),
        "city": secrets.word("trait city"),
        "country": secrets.word("trait country"),
        "plan": secrets.word("trait plan"),
        "telefoon": int(secrets.note("31687654329", "trait telefoon, a number")),
        "phone": int(secrets.note("76543", "trait phone, a short number")),
        "klantnummer": int(secrets.note("8812377", "trait klantnummer, a number")),
        "geboortedatum": secrets.note("1984-07-13", "trait geboortedatum"),
        "Geburtstag": secrets.note("1983-06-12", "trait Geburtstag") + "T00:00:00Z",
        "dag": secrets.note("1982-05-11", "trait dag"),
        "breedtegraad": float(secrets.note("52.379189", "trait breedtegraad")),
        "adres": {"straat": secrets.word("trait adres.straat"), "huis": {"bij": secrets.word("trait adres deep")}},
        "kinderen": [{"roepnaam": secrets.word("trait in a list"), "leeftijd": 7}],
        "woorden": [secrets.word("trait, text in a list")],
        secrets.address("name of a trait"): 1,
        "website": f"https://shop.example/?who={secrets.word('trait website')}",
        "orders_count": 12,
    }  # fmt: skip
    person.origins = {key: {"s": 1, "t": "2026-11-01T10:00:00+00:00", "c": "identify"} for key in person.traits}
    person.save()
    tally = new_tally()
    for key, value in person.traits.items():
        for _time in range(4):  # often enough to stand among the frequent values
            tally.trait(key, None, value, at=timezone.now(), source_id=None)
    write(tally)
    return person


def _events(person: Profile, source: Source, secrets: Secrets) -> None:
    rows: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("track", f"Order by {secrets.address('name of an event')}", {"total": 12}, {}),
        ("track", f"{secrets.word('name of an event, a word')} was here", {
            "bericht": secrets.word("property bericht"),
        }, {}),
        ("track", "Order Completed", {
            "total": 10.5, "naam": secrets.word("property naam"),
            "regels": [{"omschrijving": secrets.word("property in a list")}],
            "x": {"y": {"z": secrets.word("property, deep")}},
            secrets.address("name of a property"): "yes",
        }, {}),
        ("page", "Page Viewed", {
            "title": secrets.word("title of a page"), "path": f"/konto/{secrets.word('path of a page')}",
            "url": f"https://shop.example/konto?mail={secrets.word('url of a page')}",
            "search": f"?q={secrets.word('query string')}", "referrer": f"https://x.example/{secrets.word('referrer')}",
        }, {}),
        ("screen", secrets.word("name of a screen"), {"name": secrets.word("property name of a screen")}, {}),
        ("track", "Searched", {"query": secrets.word("property query")}, {
            "ip": secrets.note("198.51.100.77", "context ip"), "userAgent": secrets.word("context userAgent"),
            "campaign": {"name": secrets.word("context campaign"), "source": secrets.word("utm source")},
            "page": {"url": f"https://shop.example/{secrets.word('context page')}"},
            "groupId": secrets.word("context group"), "device": {"type": secrets.word("context device")},
            "traits": {"email": secrets.address("context traits")},
        }),
    ]  # fmt: skip
    now = timezone.now()
    tally = new_tally()
    made = []
    for number, (kind, name, properties, context) in enumerate(rows):
        for _time in range(4):
            tally.event(name, properties, at=now, source_id=source.pk)
        made.append(
            Interaction(
                id=900_000 + number, profile_id=person.pk, identifier_id=0, occurred_at=now - timedelta(minutes=number),
                received_at=now, kind=kind, name=name, properties=properties, context=context, source_id=source.pk,
                message_id=secrets.word("message id"),
            )
        )  # fmt: skip
    Interaction.objects.bulk_create(made)
    write(tally)


def _history(person: Profile, secrets: Secrets) -> None:
    make_trait_change(person, "voornaam", secrets.word("old trait"), secrets.word("new trait"))
    make_trait_change(person, "adres", {"straat": secrets.word("old object")}, {"straat": secrets.word("new object")})
    at = timezone.now() - timedelta(days=2)
    for key in ("x1", "имя"):
        make_trait_change(person, key, secrets.word(f"old {key}"), secrets.word(f"new {key}"), at=at)


def _identity(person: Profile, secrets: Secrets) -> None:
    make_identifier(person, "user_id", secrets.word("user id"))
    make_identifier(person, "anonymous_id", secrets.word("anonymous id"))
    make_identifier(person, "phone", secrets.note("+31698765432", "identifier phone"))
    loser = Profile.objects.create(
        first_seen_at=timezone.now(), display_name=secrets.word("name of who was merged"), identified=True,
        traits={"voornaam": secrets.word("trait of who was merged")},
        email=secrets.address("address of who was merged"),
    )  # fmt: skip
    Identifier.objects.filter(profile=loser).delete()
    make_identifier(loser, "user_id", secrets.word("user id of who was merged"))
    make_merge(person, loser, state=MergeState.QUARANTINED)


def _segments(person: Profile, world: dict[str, Any], secrets: Secrets) -> None:
    def trait(key: str, operator: str, value: Any) -> dict[str, Any]:
        return {"type": "trait", "key": key, "operator": operator, "value": value}

    known = Interaction.objects.filter(profile_id=person.pk, name__startswith="Order by").get().name
    conditions = [
        trait("x1", "is", person.traits["x1"]),
        trait("voornaam", "contains", secrets.word("value of a rule")),
        trait("имя", "one_of", [secrets.word("value of a rule's list"), person.traits["имя"]]),
        {"type": "event", "name": known, "count": "at_least", "times": 1},
        {"type": "event", "name": "Order Completed", "count": "at_least", "times": 1,
         "where": [{"key": "naam", "operator": "is", "value": secrets.word("value of a rule's where")}]},
    ]  # fmt: skip
    first = {"include": {"type": "any", "children": conditions}, "exclude": None}
    row = segments.create_segment(name="Those who wrote", rule=first)
    second = {"include": {"type": "any", "children": [*conditions, trait("orders_count", "gt", 3)]}, "exclude": None}
    segments.update_rule(segment=row, rule=second)
    refresh_segment(row.pk, cause="rule")
    world["segment"] = row


def _imports(secrets: Secrets) -> None:
    name, address = secrets.word("cell of an import"), secrets.address("address of an import")
    job = checked(f"email,voornaam\n{address},{name}\n{secrets.word('bad cell of an import')},Nobody\n")
    job.name = f"{secrets.word('name of a file')}.csv"
    job.save(update_fields=["name"])
    confirm(job)


def _leftovers(world: dict[str, Any], secrets: Secrets) -> None:
    Delivery.objects.filter(pk=world["delivery"].pk).update(
        smtp_reply=f"User {secrets.word('reply of a mail server')} unknown", smtp_code=550,
        context={"person": {"first_name": secrets.word("context of a delivery")}},
    )  # fmt: skip
    RejectedMessage.objects.create(
        source=world["source"], received_at=timezone.now(), raw_id=2, code="no_user_anon_id",
        message_id=secrets.word("id of a rejected message"), payload={"event": secrets.word("rejected message")},
    )  # fmt: skip
    body = {
        "event": f"Bought by {secrets.word('name of a raw event')}", "userId": secrets.word("user id of a raw event"),
        "properties": {"x": secrets.word("property of a raw event")},
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_rawmessage (received_at, source_id, endpoint, body) VALUES (now(), %s, 'track', %s)",
            [world["source"].pk, json.dumps(body).encode()],
        )
    DeadLetter.objects.create(
        queue="inbox", key="7", reason="failed", first_tried_at=timezone.now(), last_tried_at=timezone.now()
    )
    record_consent(
        profile_id=world["person"].pk, purpose=world["purpose"], channel="email", state="withdrawn", method="form",
        actor="subject",
        evidence={
            "ip": secrets.note("100.64.7.0", "evidence ip"), "user_agent": secrets.word("evidence user agent"),
            "page_url": f"https://shop.example/{secrets.word('evidence page')}",
        },
    )  # fmt: skip
    AccessLog.objects.create(actor_label="x", action="profile.viewed", object_kind="profile")
