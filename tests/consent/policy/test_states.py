"""The fold: what holds, from what was said."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.policy.states import PROOFS, RESTRICTIVENESS, STATES, Statement, fold, lowerings

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(
    number: int,
    state: str,
    *,
    occurred: int | None = None,
    proof: str = "none",
    subject: int = 1,
    because: int | None = None,
) -> Statement:
    """Return statement `number` of a history, said on day `occurred` and recorded on day `number`."""
    return Statement(
        record_id=number,
        subject=subject,
        state=state,
        proof=proof,
        occurred_at=START + timedelta(days=number if occurred is None else occurred),
        recorded_at=START + timedelta(days=number),
        because=because,
    )


@pytest.mark.parametrize(
    ("history", "holds"),
    [
        ([], None),
        ([said(1, "given")], "given"),
        ([said(1, "given"), said(2, "withdrawn")], "withdrawn"),
        ([said(1, "withdrawn"), said(2, "given")], "given"),
        ([said(1, "given"), said(2, "expired")], "expired"),
        ([said(5, "withdrawn"), said(6, "given", occurred=2)], "withdrawn"),  # an old yes, heard of late
        ([said(5, "given"), said(6, "withdrawn", occurred=2)], "withdrawn"),  # an old no, heard of late
        ([said(1, "objected"), said(2, "given")], "objected"),
        ([said(1, "objected"), said(2, "given", proof="claimed")], "given"),
        ([said(1, "objected"), said(2, "withdrawn"), said(3, "given")], "objected"),
        ([said(1, "given"), said(2, "withdrawn"), said(3, "invalidated", because=2)], "given"),
        ([said(1, "given"), said(2, "invalidated", because=1)], None),
        ([said(1, "objected"), said(2, "invalidated", because=1), said(3, "given")], "given"),
        # what followed from it, such as its repetition at a join, does not count either
        ([said(1, "withdrawn"), said(2, "withdrawn", because=1), said(3, "invalidated", because=1)], None),
        ([said(1, "withdrawn"), said(2, "invalidated", because=1), said(3, "withdrawn")], "withdrawn"),
    ],
)
def test_history_gives_answer(history: list[Statement], holds: str | None) -> None:
    """The table of the rules."""
    result = fold(history)
    assert (result.state if result else None) == holds


def test_unproven_yes_does_not_take_the_proof_away() -> None:
    """A proven permission stays the one that is pointed at."""
    result = fold([said(1, "given", proof="claimed"), said(2, "given")])
    assert result is not None
    assert result.record_id == 1


def test_unknown_state_is_refused() -> None:
    """No state that is not known passes for a lesser no."""
    with pytest.raises(ValueError, match="unknown state"):
        fold([said(1, "given"), said(2, "maybe")])


statements = st.builds(
    said,
    st.integers(1, 30),
    st.sampled_from(STATES),
    occurred=st.integers(0, 30),
    proof=st.sampled_from(PROOFS),
    subject=st.integers(1, 3),
)
histories = st.lists(statements, max_size=8, unique_by=lambda item: item.record_id)


@given(histories)
def test_order_of_reading_does_not_matter(history: list[Statement]) -> None:
    """The ledger's order decides, not the order in which rows come back."""
    assert fold(history) == fold(reversed(history))


@given(histories, st.integers(0, 7))
def test_what_is_invalidated_never_was_said(history: list[Statement], number: int) -> None:
    """The answer is the one of a history without it, wherever it stood."""
    if history:
        gone = history[number % len(history)]
        rest = [item for item in history if item != gone]
        assert fold([*history, said(99, "invalidated", because=gone.record_id)]) == fold(rest)


@given(histories)
def test_a_no_at_the_end_holds(history: list[Statement]) -> None:
    """Whatever was said before, after a withdrawal there is no permission."""
    result = fold([*history, said(99, "withdrawn")])
    assert result is not None
    assert result.state in ("withdrawn", "objected")


@given(histories, st.lists(statements.filter(lambda item: not item.proven), max_size=5))
def test_objection_outlives_everything_unproven(history: list[Statement], later: list[Statement]) -> None:
    """Only a proven yes ends an objection (GDPR art. 21(3))."""
    after = [
        said(200 + n, item.state, occurred=200 + n, proof="none", subject=item.subject) for n, item in enumerate(later)
    ]
    result = fold([*history, said(100, "objected"), *after])
    assert result is not None
    assert result.state == "objected"


parts = st.lists(
    st.dictionaries(st.tuples(st.integers(1, 2), st.just("email")), histories, max_size=2), min_size=2, max_size=3
)


@given(parts)
def test_join_keeps_the_strictest_and_parting_restores(people: list[dict[tuple[int, str], list[Statement]]]) -> None:
    """After the lowering records the joined person has the strictest answer; each of the parted ones their own."""
    numbers = iter(range(1, 1000))
    groups = []
    for subject, person in enumerate(people, start=1):
        groups.append(
            {
                key: [
                    said(n, item.state, occurred=n, proof=item.proof, subject=subject)
                    for item, n in zip(rows, numbers, strict=False)
                ]
                for key, rows in person.items()
                if rows
            }
        )
    added = lowerings(groups, marketing=frozenset({1}))
    for number, lowering in enumerate(added, start=5000):
        repeated = said(number, lowering.because.state, subject=lowering.because.subject)
        groups[lowering.because.subject - 1][lowering.purpose, lowering.channel].append(repeated)
    for key in {key for group in groups for key in group}:
        original = [
            held for group in groups if (held := fold([row for row in group.get(key, []) if row.record_id < 5000]))
        ]
        strictest = max(RESTRICTIVENESS[held.state] for held in original)
        joined = fold(row for group in groups for row in group.get(key, []))
        assert joined is not None
        assert RESTRICTIVENESS[joined.state] == strictest
        for group in groups:
            before = fold([row for row in group.get(key, []) if row.record_id < 5000])
            after = fold(group.get(key, []))
            assert (before.state if before else None) == (after.state if after else None)


def test_policy_needs_no_django() -> None:
    """The policy and the offline verifier import in a bare interpreter."""
    code = (
        "import sys, consent.policy.states, consent.policy.decisions, consent.policy.chain, consent.policy.addresses, "
        "consent.verify; assert not [name for name in sys.modules if name.split('.')[0] in ('django', 'psycopg')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
