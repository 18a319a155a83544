"""The pages of lists: made, filled from the list of people, from a person's page, by pasting and after an import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from cdp.common import queues
from profiles.importing import services as imports
from profiles.models import Import, Profile
from profiles.models.imports import ImportState
from segments import services
from segments.models import ListEntry, ListJob, MembershipChange, Segment
from tests.consent.factories import person as known_person
from tests.profiles.importing.helpers import upload
from tests.segments.factories import ids, members, person, segment

pytestmark = pytest.mark.django_db
Clients = Callable[[str], Client]


def made(name: str = "Guests") -> Segment:
    """Make a list."""
    return services.create_list(name=name)


def text(answer: Any) -> str:
    """Return a page."""
    return str(answer.content.decode())


def test_a_list_is_made_named_and_described(client_as: Clients) -> None:
    marketer = client_as("Marketer")
    answer = marketer.post("/lists/new/", {"name": "Guests", "description": "of the gala"})
    assert answer.status_code == 302 and answer["Location"] == "/segments/guests/"
    assert "Ways to put people in" in text(marketer.get("/segments/guests/"))
    assert marketer.post("/lists/new/", {"name": "guests"}).status_code == 422
    assert marketer.get("/segments/guests/edit/")["Location"] == "/segments/guests/list/"
    marketer.post("/segments/guests/list/", {"name": "Gala", "description": "2027"})
    row = Segment.objects.get(slug="guests")
    assert (row.name, row.description) == ("Gala", "2027")
    assert "Gala" in text(marketer.get("/segments/?kind=static"))


def test_ticked_people_are_counted_and_put_in_after_a_yes(client_as: Clients) -> None:
    marketer, guests, anna, ben = client_as("Marketer"), made(), person(), person()
    page = text(marketer.get("/people/"))
    assert "the ticked ones" in page and str(anna.uuid) in page
    asked = text(marketer.get("/lists/add/", {"what": "ticked", "person": [str(anna.uuid), str(ben.uuid), "junk"]}))
    assert "2 people were chosen" in asked and members(guests) == set()
    given = {"what": "ticked", "person": [str(anna.uuid), str(ben.uuid)]}
    assert marketer.post("/lists/add/", given).status_code == 422
    assert marketer.post("/lists/add/", {**given, "list": "guests"})["Location"] == "/segments/guests/"
    assert members(guests) == ids([anna, ben])
    marketer.post("/lists/add/", {"what": "ticked", "person": [str(anna.uuid)], "new_name": "Fresh"})
    assert members(Segment.objects.get(slug="fresh")) == {anna.pk}
    assert "the ticked ones" not in text(client_as("Analyst").get("/people/"))


def test_all_that_a_search_finds_go_in_by_the_queue_with_progress(client_as: Clients) -> None:
    marketer, guests = client_as("Marketer"), made()
    found = [person(name=f"Anna {number}") for number in range(3)]
    person(name="Ben")
    asked = text(marketer.get("/lists/add/", {"what": "found", "q": "anna", "sort": "x"}))
    assert "All 3 people" in asked
    answer = marketer.post("/lists/add/", {"what": "found", "q": "anna", "list": "guests"})
    job = ListJob.objects.get()
    assert answer["Location"] == f"/lists/jobs/{job.uuid}/"
    assert "It waits for a worker" in text(marketer.get(answer["Location"]))
    assert "on their way" in text(marketer.get("/segments/guests/"))
    queues.drain("segments_lists")
    part = text(marketer.get(answer["Location"], headers={"HX-Request": "true"}))
    assert "Done." in part and "hx-get" not in part and "<html" not in part
    assert members(guests) == ids(found)


def test_somebody_is_put_in_and_taken_out_on_their_own_page(client_as: Clients) -> None:
    marketer, guests, anna = client_as("Marketer"), made(), known_person("anna@example.org")
    assert f"/lists/add/?person={anna.uuid}" in text(marketer.get(f"/people/{anna.uuid}/"))
    marketer.post("/lists/add/", {"what": "ticked", "person": str(anna.uuid), "list": "guests"})
    page = text(marketer.get(f"/people/{anna.uuid}/"))
    assert "/segments/guests/remove/" in page and "Entered segment Guests" in page
    why = text(marketer.get(f"/segments/guests/why/{anna.uuid}/"))
    assert "by hand" in why and "marketer" in why
    marketer.post("/segments/guests/remove/", {"person": str(anna.uuid)})
    assert members(guests) == set()
    history = text(marketer.get("/segments/guests/history/"))
    assert history.count("by hand, marketer") == 2


def test_pasted_lines_each_have_an_outcome(client_as: Clients) -> None:
    marketer, guests, anna, ben = client_as("Marketer"), made(), known_person("anna@example.org"), person()
    services.add_people(segment=guests, profile_ids=[ben.pk], cause="hand")
    given = f"ANNA@example.org, nobody@example.org\n{ben.uuid};email:anna@example.org\n<script>\n"
    answer = marketer.post("/segments/guests/people/", {"people": given})
    page = text(answer)
    rows = {row["line"]: row["outcome"] for row in answer.context["rows"]}
    assert rows == {
        "ANNA@example.org": "added",
        "nobody@example.org": "unknown",
        str(ben.uuid): "already",
        "email:anna@example.org": "added",
        "script": "unknown",
    }
    assert "<script>\n" not in page and members(guests) == ids([anna, ben])
    assert answer.context["left"] == "nobody@example.org\nscript"
    assert set(ListEntry.objects.values_list("cause", flat=True)) == {"hand", "pasted"}


def test_members_are_ticked_away_and_the_list_is_emptied(client_as: Clients) -> None:
    marketer, guests, anna, ben = client_as("Marketer"), made(), person(), person()
    services.add_people(segment=guests, profile_ids=[anna.pk, ben.pk], cause="hand")
    assert "Take the ticked ones out" in text(marketer.get("/segments/guests/members/"))
    marketer.post("/segments/guests/remove/", {"person": [str(anna.uuid)]})
    assert members(guests) == {ben.pk}
    assert "Empty this list?" in text(marketer.get("/segments/guests/"))
    marketer.post("/segments/guests/clear/")
    assert members(guests) == set()
    assert MembershipChange.objects.filter(cause="cleared", actor="user:marketer").count() == 1
    everybody = segment("All", {"type": "everyone"})
    assert marketer.post("/segments/all/clear/").status_code == 404 and members(everybody)


@pytest.mark.django_db(transaction=True)
def test_the_people_of_an_import_go_in_and_its_undo_takes_them_out_again(client_as: Clients) -> None:
    marketer, guests, kept = client_as("Marketer"), made(), known_person("kept@example.org")
    services.add_people(segment=guests, profile_ids=[kept.pk], cause="hand")
    job = upload("email\nkept@example.org\nnew@example.org\nbroken\n")
    imports.start_check(import_id=job.pk, mapping=job.mapping)
    queues.drain("imports")
    assert f"/lists/add/?what=import&amp;import={job.pk}" in text(marketer.get(f"/imports/{job.pk}/"))
    marketer.post("/lists/add/", {"what": "import", "import": job.pk, "list": "guests"})
    queues.drain("segments_lists")
    waiting = ListJob.objects.get()
    assert waiting.state == ListJob.State.WAITING and members(guests) == {kept.pk}
    imports.confirm_import(import_id=job.pk, actor=None)
    queues.drain("imports")
    due_now()
    queues.drain("segments_lists")
    waiting.refresh_from_db()
    new = Profile.objects.get(email="new@example.org")
    assert (waiting.state, waiting.added, waiting.already) == ("done", 1, 1)
    assert members(guests) == ids([kept, new])
    assert f"import={job.pk}" in text(marketer.get(f"/imports/{job.pk}/"))
    imports.start_undo(import_id=job.pk, actor=None)
    queues.drain("imports")
    assert Import.objects.get(pk=job.pk).state == ImportState.UNDONE
    assert members(guests) == {kept.pk}
    guests.refresh_from_db()
    assert guests.member_count == 1


def due_now() -> None:
    """Let time pass."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE common_queueitem SET due_at = now()")


def test_an_import_that_is_never_committed_puts_nobody_in() -> None:
    guests = made()
    job = upload("email\nnew@example.org\n")
    Import.objects.filter(pk=job.pk).update(state=ImportState.FAILED)
    row = services.add_imported(segment=guests, import_id=job.pk, user=None)
    queues.drain("segments_lists")
    row.refresh_from_db()
    assert (row.state, row.reason) == ("stopped", "import_stopped")
