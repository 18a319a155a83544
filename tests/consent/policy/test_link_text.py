"""The fast way to write a record down gives the canonical JSON, for any content."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consent.policy.canonical import canonical, moment
from consent.policy.chain import Link, link_text

_numbers = st.integers(0, 2**63 - 1)
_maybe = st.none() | _numbers
_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_moments = st.datetimes(
    datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))])
)
_links = st.builds(
    Link,
    **dict.fromkeys(("id", "subject", "position", "profile", "purpose", "version"), _numbers),
    **dict.fromkeys(("source", "text", "because"), _maybe),
    **dict.fromkeys(
        (
            *("terms", "channel", "state", "proof", "method", "actor", "words", "reference", "payload_digest"),
            "prev_hash",
        ),
        _words,
    ),
    occurred_at=_moments,
    recorded_at=_moments,
)


@given(_links)
def test_the_text_of_a_link_is_its_canonical_json(link: Link) -> None:
    body: dict[str, Any] = asdict(link)
    body |= {name: moment(body[name]) for name in ("occurred_at", "recorded_at")}
    assert link_text(link).encode() == canonical({"v": 1, **body})


@given(_moments)
def test_a_moment_reads_as_the_page_on_the_ledger_says(value: datetime) -> None:
    assert moment(value) == value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
