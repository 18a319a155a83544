"""What consent hears, and what it does when people are joined and parted."""

from __future__ import annotations

from typing import Any

import pytest

from consent.models import ConsentRecord, ConsentState, ConsentText
from consent.services import add_text, verify_ledger
from profiles.changes import Change, IdentifierMove, NewInteraction, announce
from profiles.models import Identifier, Profile, Source
from tests.consent.factories import at, person, purpose, say, source, state_of

pytestmark = pytest.mark.django_db


def event(anna: Profile, name: str, *, by: Source, context: dict[str, Any] | None = None, **properties: Any) -> None:
    """Let an event come in, as the processor announces it."""
    identifier = anna.identifiers.get()
    announce(
        Change(
            profile_ids={anna.pk},
            cause="collect",
            interactions=[
                NewInteraction(
                    profile_id=anna.pk,
                    identifier_id=identifier.pk,
                    kind="track",
                    name=name,
                    occurred_at=at(9),
                    properties=properties,
                    context=context or {},
                    source_id=by.pk,
                    trusted=by.trusted,
                    message_id="m-1",
                )
            ],
        )
    )


def move(identifier: Identifier, to: Profile, *, undo: bool = False) -> IdentifierMove:
    """Move an identifier, as identity resolution does."""
    step = IdentifierMove(
        identifier_id=identifier.pk, from_profile_id=identifier.profile_id, to_profile_id=to.pk, undo=undo
    )
    Identifier.objects.filter(pk=identifier.pk).update(profile=to)
    identifier.profile_id = to.pk
    return step


def join(winner: Profile, loser: Profile) -> list[Identifier]:
    """Join two people; return the identifiers that moved."""
    identifiers = list(loser.identifiers.all())
    steps = [move(item, winner) for item in identifiers]
    Profile.objects.filter(pk=loser.pk).update(merged_into=winner)
    announce(Change(profile_ids={winner.pk, loser.pk}, cause="merge", moved=steps))
    return identifiers


def part(identifiers: list[Identifier], back: Profile) -> None:
    """Undo a join."""
    Profile.objects.filter(pk=back.pk).update(merged_into=None)
    steps = [move(item, back, undo=True) for item in identifiers]
    announce(Change(profile_ids={back.pk, steps[0].from_profile_id}, cause="undo", moved=steps))


def test_server_event_gives_with_the_words() -> None:
    """`Consent Given` names purpose and version; the record points at the words."""
    anna, newsletter, shop = person(), purpose(), source()
    text = add_text(purpose_id=newsletter.pk, text="Send me the newsletter", actor="test")
    event(anna, "Consent Given", by=shop, purpose="newsletter", text_version=1, page_url="https://shop.example/n")
    record = ConsentRecord.objects.get()
    assert (record.state, record.text_id, record.proof) == ("given", text.pk, "claimed")
    assert record.reference == "message:m-1"
    assert record.occurred_at == at(9)


def test_preference_event_sets_each_category() -> None:
    """The shape of Segment: a yes, a refusal of what was never given, a withdrawal of what was."""
    anna, shop = person(), source()
    news, offers, unseen = purpose("news"), purpose("offers"), purpose("unseen")
    say(anna, offers, "given", occurred_at=at(2))
    wishes = {"news": True, "offers": False, "unseen": False, "ghost": True, "odd": "yes"}
    event(anna, "Segment Consent Preference Updated", by=shop, context={"consent": {"categoryPreferences": wishes}})
    assert [state_of(anna, of) for of in (news, offers, unseen)] == ["given", "withdrawn", "refused"]
    shop.refresh_from_db()
    assert "does not exist" in shop.warning


def test_public_key_cannot_speak_of_permission() -> None:
    """Anybody can copy a browser key: what it says is ignored, and the source shows a warning."""
    anna, newsletter, site = person(), purpose(), source("browser")
    say(anna, newsletter, "objected")
    event(anna, "Consent Given", by=site, purpose="newsletter")
    assert state_of(anna, newsletter) == "objected"
    assert ConsentRecord.objects.count() == 1
    site.refresh_from_db()
    assert "public key" in site.warning


@pytest.mark.parametrize("bad", [{"purpose": 7}, {"purpose": None}, {}, {"purpose": "newsletter", "channel": ["x"]}])
def test_odd_shapes_do_not_stop_the_block(bad: dict[str, Any]) -> None:
    """Whatever stands in an event, the block of messages goes on."""
    anna, shop = person(), source()
    purpose()
    event(anna, "Consent Given", by=shop, **bad)
    for context in ({"consent": 3}, {"consent": {"categoryPreferences": [1]}}, {"page": "x"}):
        event(anna, "Consent Preference Updated", by=shop, context=context)
    assert verify_ledger() == []


def test_joining_takes_the_strictest_answer_and_parting_restores_both() -> None:
    """The one gave later than the other withdrew: joined they are a no; parted each is as before."""
    anna, anne, newsletter = person(), person(), purpose()
    say(anne, newsletter, "withdrawn")
    say(anna, newsletter, "given")
    moved = join(anna, anne)
    assert state_of(anna, newsletter) == "withdrawn"
    repeated = ConsentRecord.objects.latest("id")
    assert (repeated.method, repeated.profile_id) == ("merge", anna.pk)
    assert repeated.because_id == ConsentRecord.objects.order_by("id").first().pk  # type: ignore[union-attr]
    part(moved, anne)
    assert (state_of(anna, newsletter), state_of(anne, newsletter)) == ("given", "withdrawn")
    assert verify_ledger() == []


def test_joining_keeps_an_objection_to_other_purposes() -> None:
    """The objection of the one also stops the newsletter that the other asked for later."""
    anna, anne, newsletter, offers = person(), person(), purpose(), purpose("offers")
    say(anne, offers, "objected")
    say(anna, newsletter, "given")
    join(anna, anne)
    from_ledger = ConsentState.objects.get(profile_id=anna.pk, purpose=offers)
    given = ConsentState.objects.get(profile_id=anna.pk, purpose=newsletter)
    assert from_ledger.state == "objected"
    assert from_ledger.recorded_at > given.recorded_at


def test_joining_people_who_agree_adds_nothing() -> None:
    """No record without need."""
    anna, anne, newsletter = person(), person(), purpose()
    say(anna, newsletter, "given")
    say(anne, newsletter, "given")
    join(anna, anne)
    assert ConsentRecord.objects.count() == 2
    assert state_of(anna, newsletter) == "given"


def test_words_cannot_be_changed() -> None:
    """A version stays what people saw."""
    newsletter = purpose()
    add_text(purpose_id=newsletter.pk, text="Yes please", actor="test")
    text = ConsentText.objects.get()
    text.text = "Yes to everything"
    with pytest.raises(Exception, match="Cannot update"):
        text.save()
