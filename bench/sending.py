"""A campaign into a local SMTP sink: personalised, every permission asked again, one commit a message."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bench.dataset import BASE_DIR, timed_sql
from bench.figures import Figure
from bench.sink import Sink, running_sink

PEOPLE, PROCESSES, BARE_EACH = 10_000, 2, 5_000
BODY = """
Hi {{ person.first_name | default: "there" }},

The **{{ person.favourite | default: "Runner 3 Low" }}** that you looked at is 20% off until Sunday.

{% if person.city %}Come and see it in {{ person.city }}.{% endif %}

[See it](https://shop.example/shoes)
"""


def measure() -> Iterator[Figure]:
    """Yield the figures of sending."""
    campaign_id = _campaign()
    with running_sink() as sink:
        seconds = _send(sink)
        accepted = sink.accepted
    outcomes = _outcomes(campaign_id)
    yield Figure(
        what=f"campaign of {PEOPLE:,} into a local sink",
        value=accepted / seconds,
        unit="messages/s",
        bare=_bare(),
        bare_what=f"smtplib, {PROCESSES} processes",
        budget=1_500,
        note=", ".join(f"{name} {count:,}" for name, count in outcomes),
    )


def _campaign() -> int:
    from campaigns.sending.starting import start_due_campaigns
    from campaigns.services.campaigns import Plan, create_campaign, schedule_campaign
    from campaigns.services.messages import Content, create_message
    from consent.services import create_purpose, record_consents
    from consent.services.entries import ConsentEntry
    from segments.membership import refresh_segment
    from segments.services import create_segment

    _people()
    purpose = create_purpose(name="Bench letters")
    ids = _ids()
    record_consents(
        [
            ConsentEntry(
                profile_id=one,
                purpose_id=purpose.pk,
                channel="email",
                state="given",
                method="api",
                actor="bench",
                evidence={"proof": "bench"},
            )
            for one in ids
        ]
    )
    segment = create_segment(
        name="Bench audience",
        rule={"include": {"type": "trait", "key": "bench", "operator": "is", "value": "send"}, "exclude": None},
    )
    refresh_segment(segment.pk)
    message = create_message(
        name="Bench letter",
        content=Content(
            subject="{{ person.first_name | default: 'Hi' }}, your shoes miss you",
            body=BODY,
            from_email="shop@shop.example",
        ),
        actor=None,
    )
    plan = Plan(name="Bench campaign", purpose_id=purpose.pk, segment_id=segment.pk, message_id=message.pk)
    campaign = create_campaign(plan=plan, actor=None)
    schedule_campaign(campaign_id=campaign.pk, actor=None, confirm=PEOPLE)
    start_due_campaigns()
    return int(campaign.pk)


def _people() -> None:
    timed_sql(
        """
        WITH people AS (
            INSERT INTO profiles_profile (uuid, traits, origins, display_name, email, search_text, identified,
                                          first_seen_at, last_seen_at)
            SELECT gen_random_uuid(),
                   jsonb_build_object('first_name', 'Anna', 'city', 'Utrecht', 'bench', 'send', 'n', n), '{}',
                   'Anna ' || n, 'bench' || n || '@example.org', '', true, now(), now()
            FROM generate_series(1, %s) AS n RETURNING id, email)
        INSERT INTO profiles_identifier (kind, value, profile_id, trusted_at, first_seen_at, last_seen_at, assertions)
        SELECT 'email', email, id, now(), now(), now(), '{}' FROM people
        """,
        [PEOPLE],
    )


def _ids() -> list[int]:
    from profiles.models import Profile

    return list(Profile.objects.filter(email__startswith="bench").order_by("id").values_list("id", flat=True))


_WORKER = """
import sys, django
django.setup()
from campaigns.sending.drain import drain_sends
print("ready", flush=True)
sys.stdin.readline()
while drain_sends(): pass
"""


def _send(sink: Sink) -> float:
    """Drain the queue with the processes that workers would be, started beforehand; return the seconds it took."""
    environment = {**os.environ, "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}", "DJANGO_SETTINGS_MODULE": "cdp.settings"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            cwd=BASE_DIR,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    started = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
        worker.stdin.close()
    for worker in workers:
        worker.wait(600)
    return time.perf_counter() - started


def _outcomes(campaign_id: int) -> list[tuple[str, int]]:
    from django.db.models import Count

    from campaigns.models import Delivery

    rows: Any = Delivery.objects.filter(campaign_id=campaign_id).values_list("outcome").annotate(Count("profile_id"))
    return sorted((str(outcome), int(count)) for outcome, count in rows)


def _bare() -> float:
    """Return messages a second that smtplib hands over with nothing else to do: no database, no templates."""
    with running_sink() as sink, ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(_ready, range(PROCESSES)))
        started = time.perf_counter()
        list(pool.map(_hand_over, [sink.port] * PROCESSES))
        return PROCESSES * BARE_EACH / (time.perf_counter() - started)


def _ready(_number: int) -> None:
    """Make sure that a process of the pool has started."""
    time.sleep(0.1)


def _hand_over(port: int) -> None:
    content = (
        b"Subject: bare\r\nFrom: shop@shop.example\r\n\r\n" + b"x" * 76 + b"\r\n" * 2 + (b"y" * 76 + b"\r\n") * 220
    )
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for number in range(BARE_EACH):
            connection.sendmail("b@shop.example", [f"p{number}@example.org"], content)
