"""Invariant 8: a file may lower a permission; it raises one only with a stated proof, and the undo takes it back."""

from __future__ import annotations

import pytest

from cdp.common.errors import CdpError
from consent.models import ConsentRecord, ConsentState
from profiles.importing import services as service
from profiles.importing.runner import run_imports
from profiles.models import Import
from tests.consent.factories import purpose
from tests.profiles.importing.helpers import checked, confirm, imported, outcomes, undone, upload

pytestmark = pytest.mark.django_db

PROOF = {
    "source": "Paper form at the spring fair",
    "obtained_on": "2026-03-02",
    "wording": "Yes, send me the newsletter",
}
MAPPING = {
    "match": "email",
    "columns": [{"header": "email", "target": "id:email"}, {"header": "news", "target": "consent:newsletter:email"}],
}


def _file(answer: str) -> str:
    return f"email,news\nanna@example.org,{answer}\n"


def _states() -> list[str]:
    return list(ConsentState.objects.order_by("profile_id").values_list("state", flat=True))


def test_a_yes_without_proof_is_refused_and_said_so_beforehand() -> None:
    purpose("newsletter")
    job = checked(_file("yes"), MAPPING)
    assert job.counts["targets"] == {"consent:newsletter:email": {"refused": 1}}
    assert job.counts["reasons"] == {"created": {"no_proof": 1}}
    job = confirm(job)
    assert outcomes(job) == {"created": 1}
    assert job.counts["targets"] == {"consent:newsletter:email": {"refused": 1}}
    assert "given" not in _states()


def test_a_yes_with_proof_counts_and_keeps_the_proof() -> None:
    purpose("newsletter")
    job = confirm(checked(_file("yes"), MAPPING, PROOF))
    assert job.counts["targets"] == {"consent:newsletter:email": {"raised": 1}}
    assert _states() == ["given"]
    record = ConsentRecord.objects.get()
    assert record.method == "import"
    assert "Paper form at the spring fair" in str(vars(record.evidence))


def test_a_no_always_counts_and_a_later_yes_does_not_undo_it() -> None:
    purpose("newsletter")
    confirm(checked(_file("yes"), MAPPING, PROOF))
    lowered = imported(_file("no"), MAPPING)
    assert lowered.counts["targets"] == {"consent:newsletter:email": {"lowered": 1}}
    assert _states() == ["withdrawn"]
    again = confirm(checked(_file("yes"), MAPPING, PROOF))  # the proof is older than the withdrawal
    assert again.counts["targets"] == {"consent:newsletter:email": {"refused": 1}}
    assert _states() == ["withdrawn"]


def test_undo_takes_a_raised_permission_back() -> None:
    purpose("newsletter")
    imported("email,city\nanna@example.org,Utrecht\n")
    job = undone(confirm(checked(_file("yes"), MAPPING, PROOF)))
    assert job.state == "undone"
    assert _states() == []


def test_half_a_proof_is_refused() -> None:
    purpose("newsletter")
    job = upload(_file("yes"))
    for proof in (
        {**PROOF, "wording": ""},
        {**PROOF, "obtained_on": "2999-01-01"},
        {**PROOF, "obtained_on": "yesterday"},
    ):
        with pytest.raises(CdpError) as refused:
            service.start_check(import_id=job.pk, mapping=MAPPING, proof=proof)
        assert str(refused.value.place).startswith("proof.")
    assert run_imports() is False
    assert Import.objects.get().state == "uploaded"
