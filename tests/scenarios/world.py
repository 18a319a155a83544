"""One of everything, so that every address of the site leads somewhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign, Delivery, Message
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import schedule_campaign
from campaigns.services.single import Wanted, allow_single_sends, send_single
from cdp.common.models import DeadLetter
from cdp.mailbox.store import MailStore
from consent.links import make_token
from consent.models import ConsentRecord, Suppression
from consent.services import add_text, erase_person
from consent.services.suppressing import suppress_address
from profiles.catalogue.store import new_tally, write
from profiles.exporting.jobs import create_export
from profiles.models import CatalogueEntry, RejectedMessage, Source
from profiles.services.sources import create_source
from segments import services as segments
from segments.membership import refresh_segment
from tests.campaigns.factories import campaign as draft
from tests.campaigns.factories import message
from tests.consent.factories import person, purpose, say
from tests.profiles.factories import make_interaction, make_merge
from tests.profiles.importing.helpers import checked
from tests.scenarios.installation import eventually, user_of

#: what must be masked for a reader without `profiles.view_pii`, wherever it turns up
NAME, ADDRESS, PHONE, USER_ID = "Wilhelmina", "wilhelmina@secret.example", "+31612345678", "customer-7781"
SECRETS = (NAME, "wilhelmina", "secret.example", "612345678", USER_ID)


def _first_decision(campaign_id: int, profile_id: int) -> Delivery | None:
    """Start what is due; only one process of a database does at a time, and it may be one of the installation."""
    start_due_campaigns()
    return Delivery.objects.filter(campaign_id=campaign_id, profile_id=profile_id).first()


def make_world(box: MailStore) -> dict[str, Any]:
    """Make one of everything; return the values that addresses are made of."""
    anna = person(
        ADDRESS,
        display_name=f"{NAME} Vos",
        search_text=f"{NAME.lower()} vos {ADDRESS}",
        traits={"first_name": NAME, "last_name": "Vos", "email": ADDRESS, "phone": PHONE, "city": "Ede"},
    )
    other = person(display_name="Bert")
    news = purpose()
    add_text(purpose_id=news.pk, text="Yes, send me news", actor="test")
    record = say(anna, news, "given")
    say(other, news, "given")
    source, _key = create_source(name="Shop", kind="server")
    make_interaction(anna, "Order Completed", properties={"total": 10, "email": ADDRESS, "phone": PHONE}, source=source)
    tally = new_tally()
    for _time in range(3):
        properties = {"total": 10, "email": ADDRESS, "note": ADDRESS, "contact": PHONE, "customer_id": USER_ID}
        tally.event("Order Completed", properties, at=timezone.now(), source_id=source.pk)
    write(tally)
    segment = segments.create_segment(name="Everybody", rule={"include": {"type": "everyone"}, "exclude": None})
    refresh_segment(segment.pk, cause="rule")
    guests = segments.create_list(name="Guests")
    segments.add_people(segment=guests, profile_ids=[anna.pk], cause="hand", actor="test")
    list_job = segments.add_found(segment=guests, filters={}, user=None)
    plan = draft(anna, other, of=news, text=message("News", subject="For {{ person.first_name }}"))
    running = draft(anna, other, of=news, text=plan.message, name="Under way")
    schedule_campaign(campaign_id=running.pk, actor=None, confirm=2)
    delivery = eventually(lambda: _first_decision(running.pk, anna.pk), "another process starts campaigns just now")
    assert plan.message is not None
    allow_single_sends(message_id=plan.message.pk, user=None)
    send, _new = send_single(
        Wanted(message=Message.objects.get(pk=plan.message.pk), purpose=news, profile_id=anna.pk, data={}, key="k1")
    )
    rejected = RejectedMessage.objects.create(
        source=source, received_at=timezone.now(), raw_id=1, message_id="m1", code="no_user_anon_id",
        payload={"type": "track", "event": "E", "properties": {"email": ADDRESS}},
    )  # fmt: skip
    job = checked(f"email,first_name\n{ADDRESS},{NAME}\nbroken,Nobody\n")
    suppress_address(kind="email", value="blocked@secret.example", reason="manual", actor="test")
    suppression = Suppression.objects.latest("pk")
    merge = make_merge(anna, person(display_name="Twin"), at=timezone.now() - timedelta(days=1))
    mail = box.add(sender="hello@shop.example", recipients=[ADDRESS], content=MAIL)
    assert plan.message is not None and plan.message.current_version is not None
    now = timezone.now()
    given_up = DeadLetter.objects.create(
        queue="segments_refresh", key=str(segment.pk), reason="timeout", first_tried_at=now, last_tried_at=now
    )
    export = create_export(kind="people", format="csv", filters={}, parts=None, actor=user_of("Administrator"))
    return {
        "export": export,
        "dead_letter": given_up,
        "erasure": erase_person(profile_id=person("gone@secret.example").pk, actor="test", reason="asked"),
        "person": anna, "other": other, "source": source, "raw_id": _raw(source), "rejected": rejected, "import": job,
        "purpose": news, "record": ConsentRecord.objects.get(pk=record.pk), "suppression": suppression,
        "mail": mail[:26], "catalogue": CatalogueEntry.objects.get(scope="event"), "segment": segment, "list": guests,
        "list_job": list_job, "send": send, "message": plan.message,
        "version": plan.message.current_version, "campaign": plan,
        "running": Campaign.objects.get(pk=running.pk), "delivery": delivery, "merge": merge,
        "token": make_token(profile_id=anna.pk, purpose_id=news.pk, channel="email", reference="delivery:1:1"),
    }  # fmt: skip


MAIL = (
    f"From: Shop <hello@shop.example>\r\nTo: {ADDRESS}\r\nSubject: News\r\n"
    f"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hi {NAME}</p>\r\n"
).encode()


def _raw(source: Source) -> int:
    """Store a body as the collector does."""
    body = json.dumps({"event": "Order Completed", "userId": USER_ID, "properties": {"email": ADDRESS}}).encode()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_rawmessage (received_at, source_id, endpoint, body) "
            "VALUES (now(), %s, 'track', %s) RETURNING id",
            [source.pk, body],
        )
        return int(cursor.fetchone()[0])
