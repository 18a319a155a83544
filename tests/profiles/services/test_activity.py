"""Last seen is what the person did: no file, API call, staff edit or merge is the person's doing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from cdp.home import figures
from profiles.models import Profile, Source
from profiles.services.merges import merge_profiles
from profiles.services.profiles import PersonRow, upsert_person
from profiles.services.traits import set_traits
from tests.profiles.importing.helpers import imported
from tests.profiles.processing.inbox import NOW, identify, person, send, source, track
from tests.segments.factories import members, segment

pytestmark = pytest.mark.django_db


def by_hand() -> Source:
    return Source.objects.get(slug="manual")


def test_an_imported_person_was_never_seen_and_is_known_since_the_import() -> None:
    imported("email,city\nanna@shop.nl,Gent\n")
    anna = person("email", "anna@shop.nl")
    assert anna.last_seen_at is None
    assert timezone.now() - anna.first_seen_at < timedelta(minutes=5)
    assert anna.identifiers.get().last_seen_at is None


@pytest.mark.parametrize("kind", ["browser", "server"])
def test_what_a_person_does_is_activity_and_bookkeeping_is_not(kind: str) -> None:
    origin = source(kind)
    send(origin, {"type": "alias", "messageId": "m1", "userId": "u1", "previousId": "d1"})
    assert person("user_id", "u1").last_seen_at is None
    send(origin, track("m2", minute=5, userId="u1"))
    assert person("user_id", "u1").last_seen_at == NOW + timedelta(minutes=5)
    send(origin, identify("m3", 9, userId="u1"))
    assert person("user_id", "u1").last_seen_at == NOW + timedelta(minutes=9)


def test_writing_about_a_person_does_not_make_them_active() -> None:
    send(source(), identify("m1", 1, userId="u1", traits={"email": "one@shop.nl"}))
    send(source(), identify("m2", 30, userId="u2", traits={"email": "two@shop.nl"}))
    one = person("user_id", "u1")
    seen, since = one.last_seen_at, one.first_seen_at
    imported("klantnummer,email,city\nu1,one@shop.nl,Gent\n")
    upsert_person(row=PersonRow(identifiers=[("user_id", "u1")], traits={"plan": "pro"}), source=by_hand())
    set_traits(profile_id=one.pk, values={"plan": "vip"}, source=by_hand())
    one.refresh_from_db()
    assert one.traits["city"] == "Gent" and one.traits["plan"] == "vip"
    assert (one.last_seen_at, one.first_seen_at) == (seen, since)
    merge_profiles(winner_id=one.pk, loser_id=person("user_id", "u2").pk)
    one.refresh_from_db()
    assert one.last_seen_at == NOW + timedelta(minutes=30), "the merged person did so, then"


def test_lists_figures_and_segments_follow(client_as: Callable[[str], Client]) -> None:
    send(source(), {"type": "track", "event": "Seen", "messageId": "m1", "userId": "active"})
    imported("email\n" + "".join(f"p{n}@shop.nl\n" for n in range(30)))
    assert figures.active_people().value == 1
    page = client_as("Marketer").get("/people/?seen_in=30")
    assert len(page.context["rows"]) == 1
    page = client_as("Marketer").get("/people/")
    assert page.context["rows"][0].pk == person("user_id", "active").pk, "who was never seen comes last"
    assert "never seen" in page.content.decode()
    one = client_as("Marketer").get(f"/people/{person('email', 'p1@shop.nl').uuid}/").content.decode()
    assert "never seen" in one
    active = segment("Active", {"type": "seen", "which": "last", "operator": "within", "days": 30})
    quiet = segment("Quiet", {"type": "seen", "which": "last", "operator": "before", "days": 30})
    assert members(active) == {person("user_id", "active").pk}
    assert len(members(quiet)) == 30
    answer = client_as("Marketer").get("/api/v1/profiles/")
    assert answer.status_code in (200, 401)
    assert Profile.objects.filter(last_seen_at=None).count() == 30
