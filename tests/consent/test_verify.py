"""Any edit or deletion is found: in the database, and in an exported file with plain Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from consent.export import export_lines
from consent.ledger_watch import ledger_health
from consent.models import ConsentRecord, LedgerSeal
from consent.services import add_text, seal_ledger, verify_ledger
from consent.verify import verify_lines
from tests.consent.factories import person, purpose, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger(db: None) -> None:
    """A small ledger, sealed once, with a few records behind the seal."""
    anna, bert, newsletter = person(), person(), purpose()
    text = add_text(purpose_id=newsletter.pk, text="Yes, mail me", actor="test")
    for state in ("given", "withdrawn", "given"):
        say(anna, newsletter, state, text=text)
        say(bert, newsletter, state, text=text)
    seal_ledger()
    say(anna, newsletter, "withdrawn")


TAMPERINGS = [
    "UPDATE consent_consentrecord SET state = 'given' WHERE id = (SELECT max(id) FROM consent_consentrecord)",
    "UPDATE consent_consentrecord SET occurred_at = occurred_at - interval '1 day' WHERE position = 2",
    "UPDATE consent_consentrecord SET actor = 'somebody' WHERE position = 1",
    "UPDATE consent_consentrecord SET profile_id = profile_id + 1 WHERE position = 1",
    "DELETE FROM consent_consentrecord WHERE position = 2",
    "DELETE FROM consent_consentrecord WHERE position = 1",
    "DELETE FROM consent_consentrecord WHERE id = (SELECT max(id) FROM consent_consentrecord)",
    'UPDATE consent_consentevidence SET payload = payload || \'{"ip": "198.51.100.0"}\'',
    "DELETE FROM consent_consentevidence",
    "UPDATE consent_consentrecord SET recorded_at = '20000-01-01' WHERE position = 2",
    "UPDATE consent_consentchain SET position = position - 1",
    "UPDATE consent_consenttext SET text = 'No, mail me not'",
    "UPDATE consent_consenttext SET text = 'No', digest = encode(sha256('No'), 'hex')",
]


def tamper(statement: str) -> None:
    """Change rows as somebody with all rights on the database would."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount > 0
        cursor.execute("SET session_replication_role = origin")


def test_untouched_ledger_is_whole(ledger: None) -> None:
    """Green when nothing happened, in the database and outside."""
    assert verify_ledger() == []
    lines = list(export_lines())
    assert sum('"kind": "record"' in line for line in lines) == ConsentRecord.objects.count()
    assert list(verify_lines(lines)) == []
    assert ledger_health()[0]


@pytest.mark.parametrize("statement", TAMPERINGS)
def test_every_tampering_is_found(ledger: None, statement: str) -> None:
    """Red for each kind of edit and deletion, in the database and in an export made afterwards."""
    tamper(statement)
    assert verify_ledger() != []
    assert list(verify_lines(export_lines())) != []
    ok, found, _fix = ledger_health()
    assert not ok
    assert "altered" in found
    with pytest.raises(CommandError):
        call_command("verify_ledger")


def test_kept_answer_that_is_not_the_ledgers_is_found(ledger: None) -> None:
    """Somebody who raises a state behind the ledger's back."""
    tamper("UPDATE consent_consentstate SET state = 'given' WHERE state = 'withdrawn'")
    assert {problem.code for problem in verify_ledger()} == {"state"}


def test_person_wiped_from_the_ledger_with_the_chain_is_found_by_the_seal(ledger: None) -> None:
    """Records, evidence and head of one subject gone, tidily: the seal remembers how many there were."""
    subject = ConsentRecord.objects.order_by("identifier_id").first().identifier_id  # type: ignore[union-attr]
    for table in ("consentrecord", "consentevidence", "consentchain"):
        tamper(f"DELETE FROM consent_{table} WHERE identifier_id = {subject}")
    assert "seal" in {problem.code for problem in verify_ledger()}


def test_seals_follow_each_other(ledger: None) -> None:
    """A second seal covers what is new; a third has nothing to do."""
    second = seal_ledger()
    assert second is not None
    assert second.prev_hash == LedgerSeal.objects.order_by("id").first().hash  # type: ignore[union-attr]
    assert second.count == 1
    assert seal_ledger() is None
    assert verify_ledger() == []


def test_file_is_verified_without_django(ledger: None, tmp_path: Path) -> None:
    """`python -m consent.verify` answers 0 for the export, 1 after one letter was changed."""
    file = tmp_path / "ledger.jsonl"
    call_command("verify_ledger", export=str(file))
    command = [sys.executable, "-m", "consent.verify", str(file)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    lines = file.read_text().splitlines()
    changed = [json.dumps({**json.loads(line), "state": "given"}) if '"withdrawn"' in line else line for line in lines]
    file.write_text("\n".join(changed))
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "altered" in result.stdout
