"""Where mail goes, and what a person is called."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from profiles.identity.person import Known, person_row, sending_address
from profiles.identity.traits import Slots


def at(day: int) -> datetime:
    return datetime(2026, 5, day, tzinfo=UTC)


def said(value: Any, day: int, slot: str = "t1") -> dict[str, Slots]:
    return {"email": {slot: {"v": value, "t": f"2026-05-{day:02}T00:00:00.000000Z", "m": "", "c": "identify"}}}


def mail(value: str, day: int | None = 1, **fields: Any) -> Known:
    """Return an address that a trusted source gave on a day; None: no trusted one did."""
    return Known("email", value, at(day) if day else None, at(1), **fields)


def user(assertions: dict[str, Slots] | None = None) -> Known:
    return Known("user_id", "v", at(1), at(1), assertions=assertions or {})


def test_mail_goes_to_a_trusted_address_only() -> None:
    claim = user({**said("thief@evil.nl", 1, "p4"), "first_name": {"p4": {"v": "Anna", "t": "", "m": "", "c": ""}}})
    row = person_row([claim, mail("thief@evil.nl", None)], since=at(1))
    assert (row.email, row.display_name, row.traits["email"]) == ("", "Anna", "thief@evil.nl")
    assert person_row([claim, mail("thief@evil.nl", None), mail("anna@shop.nl")], since=at(1)).email == "anna@shop.nl"


def test_known_since_is_from_whatever_source_and_seen_what_the_person_did() -> None:
    imported = Known("email", "a@shop.nl", at(2), at(2))
    row = person_row([imported], since=at(9))
    assert (row.first_seen_at, row.last_seen_at) == (at(2), None)
    device = Known("anonymous_id", "d", None, at(1), at(5), tied=False)
    row = person_row([imported, device], since=at(9))
    assert (row.first_seen_at, row.last_seen_at) == (at(1), at(5))
    assert person_row([], since=at(9)).first_seen_at == at(9)


def test_one_restricted_identifier_restricts_the_person() -> None:
    free, held = mail("a@shop.nl"), mail("b@shop.nl", restricted_at=at(3))
    assert person_row([free], since=at(1)).restricted_at is None
    assert person_row([free, held], since=at(1)).restricted_at == at(3)


def test_an_address_that_only_a_public_key_tied_to_the_person_gets_nothing() -> None:
    assert sending_address("email", [user(), mail("thief@evil.nl", tied=False)]) == ""
    known = [user(said("thief@evil.nl", 9)), mail("anna@shop.nl", 5), mail("thief@evil.nl", 1, tied=False)]
    assert sending_address("email", known) == "anna@shop.nl"


def test_a_statement_with_a_user_id_changes_the_address_and_one_without_does_not() -> None:
    known = [user(said("v@shop.nl", 2)), mail("v@shop.nl", 2), mail("a@evil.nl", 1, assertions=said("a@evil.nl", 9))]
    assert sending_address("email", known) == "v@shop.nl"
    device = Known("anonymous_id", "d", at(1), at(1), assertions=said("a@evil.nl", 9))
    assert sending_address("email", [*known, device]) == "v@shop.nl"
    known[0] = user(said("a@evil.nl", 3))
    assert sending_address("email", known) == "a@evil.nl"


def test_without_a_statement_the_first_trusted_address_stays() -> None:
    known = [mail("z@shop.nl", 1), mail("a@shop.nl", 2)]
    assert sending_address("email", known) == "z@shop.nl"


def test_an_answer_at_an_address_counts_as_a_statement() -> None:
    known = [user(said("v@shop.nl", 2)), mail("v@shop.nl", 2), mail("new@shop.nl", 3, confirmed_at=at(4))]
    assert sending_address("email", known) == "new@shop.nl"
    known[0] = user(said("v@shop.nl", 5))
    assert sending_address("email", known) == "v@shop.nl"


def test_a_pinned_address_stays_and_a_removed_one_ends() -> None:
    known = [user({"email": said("v@shop.nl", 2)["email"] | said("old@shop.nl", 1, "pin")["email"]})]
    known += [mail("v@shop.nl"), mail("old@shop.nl")]
    assert sending_address("email", known) == "old@shop.nl"
    assert sending_address("email", [user(said(None, 3)), mail("v@shop.nl")]) == ""
    assert sending_address("email", [user(said("n/a", 3)), mail("v@shop.nl")]) == "v@shop.nl"


def test_a_public_key_states_nothing() -> None:
    known = [
        user(said("v@shop.nl", 2) and {"email": {**said("v@shop.nl", 2)["email"], **said("w@x.nl", 9, "p4")["email"]}})
    ]
    known += [mail("v@shop.nl"), mail("w@x.nl")]
    assert sending_address("email", known) == "v@shop.nl"


KNOWN = st.builds(
    Known,
    st.sampled_from(["email", "user_id", "anonymous_id"]),
    st.sampled_from(["a@x.nl", "b@x.nl", "c@x.nl"]),
    st.one_of(st.none(), st.integers(1, 3).map(at)),
    st.just(at(1)),
    tied=st.booleans(),
    confirmed_at=st.one_of(st.none(), st.integers(1, 3).map(at)),
    assertions=st.one_of(
        st.just({}),
        st.builds(
            said,
            st.sampled_from(["a@x.nl", "b@x.nl", None, 7]),
            st.integers(1, 3),
            st.sampled_from(["t1", "t2", "p4", "pin"]),
        ),
    ),
)


@given(st.lists(KNOWN, max_size=6, unique_by=lambda item: (item.kind, item.value)), st.randoms(use_true_random=False))
def test_the_address_is_trusted_and_tied_and_depends_on_no_order(known: list[Known], chance: Any) -> None:
    address = sending_address("email", known)
    usable = {item.value for item in known if item.kind == "email" and item.trusted_at and item.tied}
    assert address in usable | {""}
    again = list(known)
    chance.shuffle(again)
    assert sending_address("email", again) == address
    public = Known("user_id", "thief", None, at(1), assertions=said("c@x.nl", 3, "p9"))
    lent = Known("anonymous_id", "lent", at(1), at(1), tied=False, assertions=said("c@x.nl", 3))
    claimed = Known("email", "d@x.nl", at(1), at(1), tied=False, confirmed_at=at(3))
    assert sending_address("email", [*known, public, lent, claimed]) == address
