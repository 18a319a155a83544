"""The promise of the undo: afterwards people are as if the file had never come, whoever else said what meanwhile."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from django.utils import timezone

from profiles.models import (
    Identifier,
    IdentityLink,
    Import,
    Interaction,
    Merge,
    Profile,
    SeenMessage,
    Source,
    TraitChange,
)
from profiles.services.profiles import PersonRow, restrict_person, upsert_person
from profiles.services.traits import set_traits
from tests.profiles.importing.helpers import imported, person, undone
from tests.profiles.processing.inbox import identify, send, source, track

pytestmark = pytest.mark.django_db


def world(exact: bool = False) -> list[Any]:
    """Return everybody: what is derived, and who the identifiers belong to; `exact`: every column, ids included."""
    found: list[Any] = []
    for profile in Profile.objects.filter(merged_into=None, erased_at=None).order_by("pk"):
        row: dict[str, Any] = {
            "traits": profile.traits,
            "origins": profile.origins,
            "name": profile.display_name,
            "email": profile.email,
            "search": profile.search_text,
            "seen": bool(profile.last_seen_at),
            "identifiers": sorted(
                (
                    item.kind,
                    item.value,
                    item.trusted,
                    item.tied,
                    item.in_use,
                    json.dumps(item.assertions, sort_keys=True),
                )
                for item in profile.identifiers.all()
            ),
            "done": sorted(Interaction.objects.filter(profile_id=profile.pk).values_list("message_id", flat=True)),
        }
        if exact:
            row |= {"pk": profile.pk, "since": str(profile.first_seen_at), "last": str(profile.last_seen_at)}
            times = profile.identifiers.order_by("pk").values_list(
                "pk", "trusted_at", "anchored_profile_id", "source_id"
            )
            row["times"] = [str(item) for item in times]
        found.append(row)
    if exact:
        links = IdentityLink.objects.order_by("low_id", "high_id").values_list(
            "low_id", "high_id", "first_at", "tie", "weak"
        )
        found.append([str(link) for link in links])
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def by_hand() -> Source:
    return Source.objects.get(slug="manual")


def what_happened(chance: random.Random, number: int, files: bool = True) -> None:
    """Let a source, a website, a colleague or another file say something of one of a few people."""
    user, address = f"u{chance.randrange(4)}", f"p{chance.randrange(4)}@shop.nl"
    words = {"city": chance.choice(["Gent", "Ede", None]), "score": chance.randrange(3), "plan": chance.choice("ab")}
    kind = chance.choice(["server", "browser", "hand", "api", "import"])
    if kind == "import" and files:
        rows = f"{address},{words['city'] or 'Lier'},{words['score']}\n"
        imported("email,city,score\n" + rows)
    elif kind == "hand" and (known := person("user_id", user)) and known.last_seen_at:
        # Not of somebody whom but a file knows: without the file there would be nobody to edit.
        set_traits(
            profile_id=known.pk, values={"score": number}, pinned=chance.choice([[], ["score"]]), source=by_hand()
        )
    elif kind == "api":
        upsert_person(row=PersonRow(identifiers=[("user_id", user)], traits={"plan": "api"}), source=by_hand())
    elif kind in ("server", "browser"):
        # What a website claims of an address that the file gives too is lost with the file, until it claims it again.
        traits = {**words, **({"email": address} if chance.random() < 0.5 and (files or kind == "server") else {})}
        now = timezone.now().isoformat()
        said = identify(f"m{number}", userId=user, anonymousId=f"d{chance.randrange(3)}", traits=traits)
        done = track(f"t{number}", anonymousId=f"d{chance.randrange(3)}")
        send(source(kind), {**said, "timestamp": now}, {**done, "timestamp": now})


FILE = (
    "email,klantnummer,city,score,street\n"
    "p0@shop.nl,u0,Assen,7,Kerkstraat\n"
    "p1@shop.nl,,Assen,,\n"
    "p2@shop.nl,u9,Gent,1,Dorpsplein\n"
    "p7@shop.nl,u7,Ede,3,\n"
    "p8@shop.nl,,Ede,4,\n"
)


@pytest.mark.parametrize("seed", range(25))
def test_with_nothing_in_between_everything_is_as_before_to_the_byte(seed: int) -> None:
    chance = random.Random(seed)
    for number in range(chance.randrange(9)):
        what_happened(chance, number)
    before = world(exact=True)
    job = imported(FILE)
    undone(job)
    assert world(exact=True) == before


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happened_before_and_since_people_are_as_if_the_file_had_never_come(seed: int) -> None:
    def story(with_file: bool) -> list[Any]:
        chance = random.Random(seed)
        moment = chance.randrange(1, 10)
        job: Import | None = None
        for number in range(12):
            if number == moment and with_file:
                job = imported(FILE)
            # A later file that finds what it says already there says nothing: that is left out here.
            what_happened(chance, number, files=number < moment)
        if job is not None:
            undone(job)
        found = world()
        for row in found:  # the times of both stories differ
            row["origins"] = {name: origin.get("s") for name, origin in row["origins"].items()}
            row["identifiers"] = [item[:4] for item in row["identifiers"]]
        return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))

    expected = story(with_file=False)
    for model in (Interaction, TraitChange, Merge, IdentityLink, Identifier, Profile, SeenMessage, Import):
        model.objects.all().delete()
    assert story(with_file=True) == expected


def test_an_address_that_only_the_file_vouched_for_is_not_mailed_after_the_undo() -> None:
    send(source("browser"), identify("m1", 1, anonymousId="d1", traits={"email": "anna@shop.nl"}))
    job = imported("email,city\nanna@shop.nl,Gent\n")
    anna = person("email", "anna@shop.nl")
    assert anna is not None and anna.email == "anna@shop.nl"
    undone(job)
    anna = person("email", "anna@shop.nl")
    assert anna is not None and anna.email == "" and anna == person("anonymous_id", "d1")
    assert "city" not in anna.traits


@pytest.mark.parametrize("when", ["before", "since"])
def test_an_address_that_a_server_gives_too_stays_trusted_and_theirs(when: str) -> None:
    said = {"type": "identify", "messageId": "m1", "userId": "u1", "traits": {"email": "anna@shop.nl"}}
    if when == "before":
        send(source("server"), said)
    job = imported("email,klantnummer,city\nanna@shop.nl,u1,Gent\n")
    if when == "since":
        send(source("server"), said)
    undone(job)
    anna = person("user_id", "u1")
    assert anna is not None and anna == person("email", "anna@shop.nl")
    assert anna.email == "anna@shop.nl" and anna.traits == {"email": "anna@shop.nl"}


def test_a_restricted_person_keeps_the_restriction_and_loses_the_files_values() -> None:
    job = imported("email,city\nanna@shop.nl,Gent\n")
    anna = person("email", "anna@shop.nl")
    assert anna is not None
    restrict_person(profile_id=anna.pk, restricted=True)
    job = undone(job)
    anna.refresh_from_db()
    assert anna.restricted_at is not None and "city" not in anna.traits
    assert job.counts["undone"]["kept"] == 1


def test_imports_are_undone_in_any_order() -> None:
    imported("email,city\nanna@shop.nl,Gent\n")
    before = world()
    second = imported("email,city\nanna@shop.nl,Ede\n")
    third = imported("email,city\nanna@shop.nl,Lier\n")
    undone(second)
    anna = person("email", "anna@shop.nl")
    assert anna is not None and anna.traits["city"] == "Lier"
    undone(third)
    assert world() == before
