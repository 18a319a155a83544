"""A backup that is put back sends nothing by itself, mails nobody twice, and forgets no refusal or erasure (F16)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns.models import Campaign, Delivery
from campaigns.report import report_of
from campaigns.sending.drain import drain_sends
from campaigns.sending.sent_log import SentLog
from campaigns.sending.starting import start_due_campaigns
from campaigns.services.campaigns import pause_campaign, resume_campaign, schedule_campaign
from cdp.common.journal.folder import JournalFolder, Place
from cdp.common.journal.identity import journal_folder, signs_of_restore
from cdp.common.journal.outbox import flush
from cdp.common.journal.restoring import may_work
from cdp.common.journal.upkeep import compact, forget, journal_health, oldest
from cdp.common.models import Installation, JournalEntry
from cdp.tasks import keep_journal
from consent.gate import check
from consent.models import ConsentRecord, Suppression
from consent.services import erase_person, lift_suppression, suppress_address
from profiles.models import Identifier, Profile
from tests.campaigns.factories import campaign, readers
from tests.campaigns.runs import confirmed, run
from tests.campaigns.sink import Sink
from tests.consent.factories import purpose, say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Name a file for a backup."""
    return tmp_path / "backup.tar"


def restore(dump: Path) -> Installation:
    """Put a backup back, as an operator does who has stopped everything."""
    connection.close()
    call_command("restore", str(dump), "--replace")
    return Installation.objects.get(pk=1)


def test_nobody_is_mailed_twice_and_nobody_comes_back(sink: Sink, dump: Path, admin_client: Client) -> None:
    news = purpose()
    people = readers(40, news)
    row = campaign(*people, of=news)
    later = campaign(*people[:5], of=news, name="Later")
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=confirmed(row))
    schedule_campaign(campaign_id=later.pk, actor=None, local_time="2027-11-27T09:00")
    start_due_campaigns()
    sink.on_store.append(lambda _recipient: _pause_after(sink, row, 8))
    drain_sends()
    sink.on_store.clear()
    before = len(sink.mails)
    assert 8 <= before < 40
    call_command("backup", str(dump))

    # What the backup does not know: more mails, a withdrawal, an objection, a suppression, an erasure.
    resume_campaign(campaign_id=row.pk)
    sink.on_store.append(lambda _recipient: _pause_after(sink, row, before + 10))
    drain_sends()
    sink.on_store.clear()
    mailed = len(sink.mails)
    assert before + 10 <= mailed < 36
    waiting = list(Delivery.objects.of_campaign(row.pk).filter(outcome="pending").values_list("profile_id", flat=True))
    withdrew, objected, suppressed, erased = (Profile.objects.get(pk=pk) for pk in waiting[:4])
    say(withdrew, news, "withdrawn")
    say(objected, news, "objected")
    suppress_address(kind="email", value=suppressed.email, reason="complaint", actor="test")
    erase_person(profile_id=erased.pk, actor="test", reason="asked")

    found = restore(dump)
    row.refresh_from_db()
    later.refresh_from_db()
    assert "set_back" in found.restored["signs"]
    assert row.status == later.status == "paused"
    # Those mailed since are known, one by one, and their number stands on the page.
    assert row.pause_code == "restored" and row.pause_params == {"people": mailed - before}
    page = admin_client.get(f"/campaigns/{row.pk}/").content.decode()
    assert f"{mailed - before} people may have got this" in page
    assert report_of(row).tally.of("unknown") == mailed - before and report_of(row).adds_up
    # Nothing goes by itself, whatever beat wakes.
    for _number in range(3):
        keep_journal()
        start_due_campaigns()
        drain_sends()
    assert len(sink.mails) == mailed
    # Who refused stays refused, who was erased stays erased.
    decisions = check(profile_ids=[withdrew.pk, objected.pk, suppressed.pk], purpose_id=news.pk, channel="email")
    reasons = [decisions[one.pk].reason for one in (withdrew, objected, suppressed)]
    assert reasons == ["withdrawn", "objected", "suppressed"]
    assert Profile.objects.get(pk=erased.pk).erased_at is not None
    assert not Identifier.objects.filter(value=erased.email).exists()
    # A person looks and resumes: the rest get it, once.
    resume_campaign(campaign_id=row.pk)
    row = run(row)
    assert row.status == "done" and set(sink.counts.values()) == {1}
    refused = {withdrew.email, objected.email, suppressed.email, erased.email}
    assert set(sink.counts) == {one.email for one in people} - refused
    # The other one waits for its hour again.
    resume_campaign(campaign_id=later.pk)
    later.refresh_from_db()
    assert later.status == "scheduled"
    ok, words, _fix = journal_health()
    assert ok and "restored from a backup" in words


def _pause_after(sink: Sink, row: Campaign, count: int) -> None:
    try:
        if len(sink.mails) >= count:
            pause_campaign(campaign_id=row.pk)
    except Exception:  # noqa: BLE001 - another connection paused first
        pass
    finally:
        connection.close()


def test_a_campaign_that_was_a_draft_in_the_backup_mails_nobody_again(sink: Sink, dump: Path) -> None:
    news = purpose()
    row = campaign(*readers(6, news), of=news)
    may_work()
    call_command("backup", str(dump))
    run(row)
    assert len(sink.mails) == 6
    restore(dump)
    row.refresh_from_db()
    assert row.status == "draft"
    row = run(row)
    assert len(sink.mails) == 6 and row.status == "done"
    assert report_of(row).tally.by_reason == {("unknown", "sent_before_restore"): 6}


def test_a_copy_that_is_started_elsewhere_sends_nothing(sink: Sink, settings: Settings, tmp_path: Path) -> None:
    news = purpose()
    row = campaign(*readers(3, news), of=news)
    other = run(campaign(*readers(2, news, prefix="sent"), of=news, name="Sent"))
    assert other.status == "done"
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=confirmed(row))
    # Another machine: the same database content, no journal.
    settings.JOURNAL_DIR = tmp_path / "elsewhere"
    start_due_campaigns()
    drain_sends()
    row.refresh_from_db()
    assert row.status == "paused" and row.pause_code == "restored_blind" and len(sink.mails) == 2
    assert "second time" in row.pause_label


def test_a_new_installation_and_an_ordinary_restart_are_no_restore(sink: Sink) -> None:
    news = purpose()
    first = run(campaign(*readers(2, news), of=news))
    second = run(campaign(*readers(2, news, prefix="again"), of=news, name="Again"))
    assert first.status == second.status == "done"
    assert Installation.objects.get(pk=1).restored_at is None
    assert journal_folder().marker() is not None


def test_a_restore_that_was_broken_off_is_finished_at_the_next_start(
    sink: Sink, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    news = purpose()
    stays, goes = readers(2, news)
    row = campaign(stays, goes, of=news)
    schedule_campaign(campaign_id=row.pk, actor=None)
    start_due_campaigns()
    call_command("backup", str(dump))
    say(goes, news, "withdrawn")
    drain_sends()
    assert len(sink.mails) == 1

    def broken(_folder: JournalFolder, _since: object) -> None:
        raise OSError("the disk does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(JournalFolder, "read", broken)
        with pytest.raises(OSError, match="disk"):
            restore(dump)
        with pytest.raises(OSError, match="disk"):
            drain_sends()  # what cannot be put in order does not send
    assert may_work()
    row.refresh_from_db()
    assert row.status == "paused" and row.pause_params == {"people": 1}
    assert not check(profile_ids=[goes.pk], purpose_id=news.pk, channel="email")[goes.pk].allowed
    assert ConsentRecord.objects.filter(method="journal").count() == 1  # once, however often it was tried


def test_what_is_lifted_again_stays_lifted(sink: Sink, dump: Path) -> None:
    news = purpose()
    one, two = readers(2, news)
    may_work()
    first = suppress_address(kind="email", value=one.email, reason="manual", actor="test")
    call_command("backup", str(dump))
    lift_suppression(suppression_id=first.pk, actor="test", note="a mistake")
    second = suppress_address(kind="email", value=two.email, reason="manual", actor="test")
    lift_suppression(suppression_id=second.pk, actor="test", note="a mistake")
    third = suppress_address(kind="email", value=two.email, reason="manual", actor="test")
    assert third.lifted_at is None
    restore(dump)
    listed = {row.digest: row.lifted_at is None for row in Suppression.objects.all()}
    assert listed == {first.digest: False, third.digest: True}


def test_the_journal_tells_nobody_anything(sink: Sink, settings: Settings) -> None:
    news = purpose()
    (one,) = readers(1, news)
    run(campaign(one, of=news))
    say(one, news, "withdrawn")
    erase_person(profile_id=one.pk, actor="test", reason="asked")
    assert JournalEntry.objects.count() == 0  # all of it is in the file
    files = [file for file in Path(settings.JOURNAL_DIR).rglob("*") if file.is_file()]
    content = b"".join(file.read_bytes() for file in files).decode("latin-1")
    for part in (one.email, "reader-0", str(one.uuid), one.uuid.hex, "Reader0"):
        assert part not in content
    assert all(file.stat().st_mode & 0o077 == 0 for file in files if file.name != "lock")


def test_the_journal_is_kept_small_and_a_half_written_line_costs_only_itself(sink: Sink, dump: Path) -> None:
    news = purpose()
    people = readers(3, news)
    may_work()
    call_command("backup", str(dump))
    for _number in range(20):
        say(people[0], news, "withdrawn")
        say(people[0], news, "given")
    say(people[1], news, "withdrawn")
    folder = journal_folder()
    before = folder.end()
    with open(folder.path / f"journal-{before.generation}.jsonl", "ab") as file:
        file.write(b'{"kind": "refu')  # the power went
    assert may_work()  # the database did not know of it, and passes over it
    say(people[2], news, "objected")
    assert flush() == 0  # written at once
    assert compact(least=0)
    after = folder.end()
    assert after.generation == before.generation + 1 and after.offset < before.offset / 5
    assert [file.name for file in folder.path.glob("journal-*")] == [f"journal-{after.generation}.jsonl"]
    assert may_work() and Installation.objects.get(pk=1).restored_at is None
    restore(dump)
    decisions = check(profile_ids=[one.pk for one in people], purpose_id=news.pk, channel="email")
    # Somebody who said yes again after it must say so once more: a backup that is put back never allows more.
    assert [decisions[one.pk].reason for one in people] == ["withdrawn", "withdrawn", "objected"]


def test_what_is_older_than_any_backup_is_forgotten(sink: Sink) -> None:
    news = purpose()
    people = readers(2, news)
    run(campaign(*people, of=news))
    say(people[0], news, "withdrawn")
    first = oldest()
    assert first is not None
    assert forget(first) == 0  # nothing is older than the oldest
    folder = journal_folder()
    assert len(list(folder.read(Place(0, 0)))) == 1 and list((folder.path / "sent").iterdir())
    assert forget(timezone.now() + timedelta(minutes=1)) == 2
    assert oldest() is None and may_work() and Installation.objects.get(pk=1).restored_at is None


def test_a_backup_asks_before_it_throws_away_and_never_over_a_file(dump: Path, settings: Settings) -> None:
    call_command("backup", str(dump))
    assert dump.stat().st_mode & 0o077 == 0
    with pytest.raises(CommandError, match="never replaces"):
        call_command("backup", str(dump))
    with pytest.raises(CommandError, match="--replace"):
        call_command("restore", str(dump))
    settings.SUPPRESSION_KEY = "another key that nobody used before this test"
    settings.LOCAL = False
    with pytest.raises(CommandError, match="SUPPRESSION_KEY"):
        call_command("restore", str(dump), "--replace")


HERE = {"system": "1", "oid": "2", "name": "klantbeeld", "timeline": "1"}


@pytest.mark.parametrize(
    ("position", "stored", "marker", "signs"),
    [
        (0, {}, None, []),
        (0, {}, {"position": 9, "identity": {"system": "old"}}, []),  # a new database beside an old journal
        (5, HERE, {"position": 5, "identity": HERE}, []),
        (6, HERE, {"position": 5, "identity": HERE}, []),  # killed between commit and file
        (4, HERE, {"position": 5, "identity": HERE}, ["set_back"]),
        (5, HERE, None, ["no_marker"]),
        (5, {**HERE, "oid": "3"}, {"position": 5, "identity": {**HERE, "oid": "3"}}, ["other_server"]),
        (5, HERE, {"position": 5, "identity": {**HERE, "timeline": "2"}}, ["other_server"]),
        (4, {**HERE, "system": "9"}, None, ["other_server", "no_marker"]),
    ],
)
def test_the_signs_of_a_restore(
    position: int, stored: dict[str, str], marker: dict[str, object] | None, signs: list[str]
) -> None:
    row = Installation(position=position, identity=stored)
    assert signs_of_restore(row, marker, HERE) == signs


def test_the_log_of_what_was_sent_knows_what_was_not_taken_and_old_keys(sink: Sink, settings: Settings) -> None:
    news = purpose()
    sent, busy = readers(1, news)[0], readers(1, news, prefix="busy")[0]
    row = campaign(sent, busy, of=news)
    run(row)
    log = SentLog(row.uuid)
    assert log.handed_over() == set(log.forms(sent.uuid))
    settings.SUPPRESSION_KEY_FALLBACKS = [settings.SUPPRESSION_KEY]
    settings.SUPPRESSION_KEY = "a new key, thirty-two characters long"
    assert log.handed_over() & set(log.forms(sent.uuid))
