"""Many merges that wait for review, answered at once: asked first, each by the same service, each in the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from cdp.common.models import AccessLog
from profiles.models import Merge
from profiles.models.identity import MergeState
from profiles.views import merges_bulk
from tests.profiles.factories import make_merge, make_profile

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]
PAGE = "/people/merges/settle/"


def waiting(count: int) -> list[Merge]:
    """Make merges that wait for an answer."""
    return [
        make_merge(
            make_profile(name=f"A{number}", email=f"a{number}@example.org"),
            make_profile(name=f"B{number}", email=f"b{number}@example.org"),
            state=MergeState.QUARANTINED,
        )
        for number in range(count)
    ]


def states(rows: list[Merge]) -> list[str]:
    """Return where each stands, '' for one that is gone."""
    found = dict(Merge.objects.values_list("pk", "state"))
    return [found.get(row.pk, "") for row in rows]


def test_those_ticked_are_answered_after_a_question(client_as: ClientAs) -> None:
    rows, client = waiting(3), client_as("Marketer")
    page = client.get("/people/merges/").content.decode()
    assert f'name="merge" value="{rows[0].pk}"' in page
    posted = {"merge": [rows[0].pk, rows[1].pk, "x", 9**30], "answer": "apart", "which": "ticked"}
    asked = client.post(PAGE, posted)
    assert "2 merges will be refused" in asked.content.decode()
    assert states(rows) == ["quarantined"] * 3
    client.post(PAGE, {**posted, "confirm": "yes"})
    assert states(rows) == ["dismissed", "dismissed", "quarantined"]
    log = AccessLog.objects.filter(action="profile.kept_apart").order_by("pk")
    assert [row.object_id for row in log] == [str(row.winner.uuid) for row in rows[:2]]


def test_all_that_wait_are_answered(client_as: ClientAs) -> None:
    rows, client = waiting(4), client_as("Marketer")
    done = make_merge(make_profile(name="C"), make_profile(name="D"))
    client.post(PAGE, {"answer": "merge", "which": "all", "confirm": "yes"})
    assert not Merge.objects.filter(state=MergeState.QUARANTINED).exists()
    assert states([done]) == ["done"]
    for row in rows:
        row.loser.refresh_from_db()
        assert row.loser.merged_into_id == row.winner_id


def test_what_there_is_no_time_for_stays(client_as: ClientAs, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, client = waiting(2), client_as("Marketer")
    monkeypatch.setattr(merges_bulk, "SECONDS", -1.0)
    answer = client.post(PAGE, {"answer": "apart", "which": "all", "confirm": "yes"}, follow=True)
    assert "still in the list" in answer.content.decode()
    assert states(rows) == ["quarantined"] * 2


@pytest.mark.parametrize("posted", [{}, {"answer": "apart"}, {"answer": "delete", "which": "all", "confirm": "yes"}])
def test_nothing_chosen_changes_nothing(client_as: ClientAs, posted: dict[str, str]) -> None:
    rows = waiting(1)
    answer = client_as("Marketer").post(PAGE, posted, follow=True)
    assert "Tick merges that wait" in answer.content.decode()
    assert states(rows) == ["quarantined"]
