"""Never a silent zero: a rule that names what is not there is refused, with what may have been meant (C21)."""

from __future__ import annotations

from typing import Any

import pytest

from cdp.common.errors import CdpError
from profiles.services.catalogue import announce_entry
from segments import services
from segments.membership import refresh_segment
from tests.segments.factories import event, happened, ids, members, person, rule, trait

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def buyer() -> Any:
    """Somebody who bought a bike and a lamp."""
    made = person(traits={"country": "NL", "home": {"city": "Gent"}, "tags": ["vip"]})
    lines = [{"category": "Bikes", "price": 900}, {"category": "Lamps", "price": 20}]
    happened(made, "Order Completed", products=lines, total=920, coupon="BOS10")
    return made


def refused(include: dict[str, Any]) -> tuple[str, str]:
    """Return (code, message) of a rule that may not be saved."""
    with pytest.raises(CdpError) as error:
        services.create_segment(name="S", rule=rule(include))
    problem = error.value.detail["problems"][0]
    return problem["code"], problem["message"]


def where(key: str, operator: str, value: Any = None) -> dict[str, Any]:
    """Return a condition on an order with one property."""
    return event(
        "Order Completed", where=[{"key": key, "operator": operator, **({} if value is None else {"value": value})}]
    )


@pytest.mark.parametrize(
    ("include", "code", "proposal"),
    [
        (where("products.category", "is", "Bikes"), "unknown_property", "products[].category"),
        (where("Total", "gt", 5), "unknown_property", "total"),
        (where("coupn", "is", "BOS10"), "unknown_property", "coupon"),
        (where("products", "is", "Bikes"), "wrong_type", "products[].category"),
        (where("total", "contains", "9"), "wrong_type", ""),
        (event("Order Complete"), "unknown_event", "Order Completed"),
        (trait("contry", "is", "NL"), "unknown_trait", "country"),
        (trait("city", "is", "Gent"), "unknown_trait", "home.city"),
        (trait("home", "is", "Gent"), "wrong_type", "home.city"),
        (trait("tags", "is", "vip"), "wrong_type", "tags[]"),
    ],
)
def test_what_is_not_there_is_refused_with_a_proposal(include: dict[str, Any], code: str, proposal: str) -> None:
    found, message = refused(include)
    assert found == code
    assert (f"Did you mean {proposal}" in message) if proposal else ("Did you mean" not in message)


@pytest.mark.parametrize(
    "include",
    [
        where("products[].category", "is", "Bikes"),
        where("products[].price", "lt", 100),
        trait("home.city", "is", "Gent"),
        trait("tags[]", "is", "vip"),
    ],
)
def test_members_of_objects_and_lines_can_be_asked_for(include: dict[str, Any], buyer: Any) -> None:
    other = person(traits={"country": "NL"})
    happened(other, "Order Completed", products=[{"category": "Helmets", "price": 150}], total=150)
    made = services.create_segment(name="S", rule=rule(include))
    refresh_segment(made.pk)
    assert members(made) == ids([buyer])


def test_a_property_of_another_event_is_unknown_here() -> None:
    happened(person(), "Visit", path="/sale")
    assert refused(where("path", "is", "/sale"))[0] == "unknown_property"


def test_what_was_announced_may_be_named_before_it_comes() -> None:
    announce_entry(scope="event", event="Trial Started")
    announce_entry(scope="property", event="Trial Started", path="plan", type="text")
    condition = event("Trial Started", where=[{"key": "plan", "operator": "is", "value": "pro"}])
    assert services.create_segment(name="S", rule=rule(condition)).pk
    wrong = event("Trial Started", where=[{"key": "plan", "operator": "gt", "value": 3}])
    with pytest.raises(CdpError):
        services.create_segment(name="T", rule=rule(wrong))


def test_an_import_of_many_does_not_hide_older_traits() -> None:
    """C24: a sample of those seen last forgot every trait that the newest 2,000 people lack."""
    person(traits={"shoe_size": 43})
    for number in range(30):
        person(traits={"imported": number})
    assert services.create_segment(name="S", rule=rule(trait("shoe_size", "gt", 40))).pk


@pytest.mark.parametrize("key", ["[]", "[].a", "a[]b", "a[].b[].c", "a[]."])
def test_a_place_that_cannot_be_is_refused(key: str) -> None:
    assert refused(trait(key, "exists"))[0] == "bad_path"
