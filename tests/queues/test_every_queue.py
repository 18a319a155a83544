"""Every queue is worked by a real worker that real beat wakes by its schedule: nothing here calls a drain."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from campaigns.models import Campaign
from campaigns.services.campaigns import schedule_campaign
from cdp.broker.transport import install_broker
from cdp.common.queues import queues
from cdp.processes.kinds import NAMES
from consent.models import LedgerCheck, SaleScan
from consent.services.sales import scan_sales
from profiles.exporting.jobs import create_export
from profiles.feed import note_changed
from profiles.importing import services as imports
from profiles.models import Export, Interaction, PersonChange
from profiles.models.imports import ImportState
from segments.models import Membership, Segment
from segments.services import add_found, create_list
from segments.touched import touch
from tests.campaigns.factories import campaign, readers
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose
from tests.live import REPOSITORY, process_environment
from tests.profiles.importing.helpers import upload
from tests.profiles.processing.inbox import put, source, track
from tests.queues.test_inbox import put_raw
from tests.scenarios.installation import user_of
from tests.segments.factories import event, happened, members, person, segment

#: generous: machines of tests are slow
SECONDS = 180


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a process for the length of a test."""
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def one_of_each(sink: Sink) -> dict[str, Callable[[], Any]]:
    """Put something due into every queue, and something broken beside it; return what tells that it is done."""
    old, new = person(), person()
    happened(old, "Visit", timezone.now() - timedelta(days=6, hours=23))
    window = segment("Recent", event("Visit", window={"kind": "last", "days": 7}))
    guests = create_list(name="Guests")
    add_found(segment=guests, filters={}, user=None)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE profiles_interaction SET occurred_at = occurred_at - interval '2 hours'")
    Segment.objects.update(swept_at=timezone.now() - timedelta(hours=2))
    everyone = segment("Everyone", {"type": "everyone"})
    Membership.objects.filter(segment_id=everyone.pk, profile_id=new.pk).delete()
    touch([new.pk])
    note_changed([new.pk])
    late = person()
    fresh = segment("Fresh", {"type": "everyone"}, refresh=False)
    broken, good = upload("email\nx@example.org\n"), upload("email\nfile@example.org\n")
    for job in (broken, good):
        imports.start_check(import_id=job.pk, mapping=job.mapping)
    broken.file.storage.delete(broken.file.name or "")
    create_export(kind="people", format="csv", filters={}, parts=None, actor=user_of("Administrator"))
    news = purpose()
    sending = campaign(*readers(2, news), of=news)
    sending.segment = segment("Readers", {"type": "everyone"})
    sending.save()
    schedule_campaign(campaign_id=sending.pk, actor=None)
    scan_sales(news)
    origin = source()
    put_raw(origin.pk, b'{"batch": [{"type": []}]}')
    put(origin, [track("m1", userId="u1")])

    def state(job: Any) -> str:
        job.refresh_from_db()
        return str(job.state)

    return {
        "inbox": lambda: Interaction.objects.filter(message_id="m1").exists(),
        "changed": lambda: PersonChange.objects.filter(profile_id=new.pk).exists(),
        "segments_touched": lambda: new.pk in members(everyone),
        "segments_lists": lambda: {old.pk, new.pk} <= members(guests),
        "segments_refresh": lambda: late.pk in members(fresh),
        "segments_sweep": lambda: old.pk not in members(window),
        "exports": lambda: Export.objects.filter(state="done").exists(),
        "imports": lambda: state(good) == ImportState.READY,
        "starts": lambda: Campaign.objects.filter(pk=sending.pk).exclude(audience_built_at=None).exists(),
        "sends": lambda: len(sink.mails) >= 2,
        "sales": lambda: SaleScan.objects.exclude(finished_at=None).exists(),
        "ledger_checks": lambda: LedgerCheck.objects.exclude(finished_at=None).exists(),
    }


@pytest.mark.django_db(transaction=True)
def test_every_queue_is_worked_by_a_worker_that_beat_wakes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink().start()
    done = one_of_each(sink)
    assert set(done) == set(dict(queues.items())), "a new queue belongs into this test"
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "pgmq://")
    install_broker()
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(days=1))  # the first wake-up of each is due
    environment = {
        **process_environment(8232),
        "CELERY_BROKER_URL": "pgmq://",
        "EMAIL_URL": f"smtp://127.0.0.1:{sink.port}",
    }
    with ExitStack() as stack:
        stack.callback(sink.stop)
        stack.enter_context(running([sys.executable, "-m", "cdp.processes.worker", *NAMES], environment))
        beat = [sys.executable, "-m", "celery", "-q", "-A", "cdp", "beat", "--pidfile", ""]
        stack.enter_context(running(beat, environment))
        end = time.monotonic() + SECONDS
        while waiting := sorted(name for name, is_done in done.items() if not is_done()):
            assert time.monotonic() < end, f"nobody came for {waiting}"
            time.sleep(0.2)
