"""A wall time means one moment, on the nights when clocks change too."""

from __future__ import annotations

import pytest

from campaigns.wall_time import resolve


@pytest.mark.parametrize(
    ("local", "zone", "utc", "note"),
    [
        ("2026-11-27T09:00", "Europe/Amsterdam", "2026-11-27T08:00:00+00:00", ""),
        ("2027-03-28T02:30", "Europe/Amsterdam", "2027-03-28T01:30:00+00:00", "gap"),  # clocks then say 03:30
        ("2026-10-25T02:30", "Europe/Amsterdam", "2026-10-25T00:30:00+00:00", "overlap"),  # the first of the two
        ("2027-03-14T02:30", "America/New_York", "2027-03-14T07:30:00+00:00", "gap"),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00+00:00", "overlap"),
        ("2028-02-29T12:00", "UTC", "2028-02-29T12:00:00+00:00", ""),
    ],
)
def test_a_wall_time_is_one_moment(local: str, zone: str, utc: str, note: str) -> None:
    moment = resolve(local, zone)
    assert moment.utc.isoformat() == utc and moment.note == note


def test_a_skipped_time_is_shown_as_the_clock_will_say() -> None:
    assert resolve("2027-03-28T02:30", "Europe/Amsterdam").shown.strftime("%H:%M") == "03:30"


@pytest.mark.parametrize(
    ("local", "zone"),
    [
        ("2026-02-30T10:00", "UTC"),
        ("soon", "UTC"),
        ("2026-11-27T09:00", "Mars/Olympus"),
        ("2026-11-27T09:00", "../etc/passwd"),
        ("0001-01-01T00:00", "Asia/Tokyo"),
        ("2026-11-27 09:00", "UTC"),
    ],
)
def test_no_time_and_no_zone_are_refused(local: str, zone: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for the caller to make
        resolve(local, zone)
