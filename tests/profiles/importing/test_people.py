"""The quick way of writing new people says what the slow and general one says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from profiles.identity.traits import assert_traits, stamp, winners
from profiles.importing.people import Provenance, first_word

NAMES = st.sampled_from(["email", "phone", "city", "first_name", "tags", "age"])
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.lists(st.text("ab\\\t", max_size=3), max_size=3),
)


def unescape(text: str) -> Any:
    """Undo what COPY's text form adds."""
    return json.loads(text.replace("\\\\", "\\"))


@given(st.dictionaries(NAMES, VALUES))
def test_first_words_are_what_the_rules_of_traits_make_of_them(values: dict[str, Any]) -> None:
    said = Provenance(cause="import:7", import_id=7, source_id=3, at=datetime(2026, 5, 1, tzinfo=UTC))
    at = stamp(said.at)
    general = assert_traits(values, slot=said.slot, at=at, tie="import:7:2", cause="import:7")
    traits, origins, made = map(unescape, first_word(values, said, at, "import:7:2"))
    assert made == general
    assert (traits, origins) == winners([(general, True)])
