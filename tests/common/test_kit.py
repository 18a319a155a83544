"""The tags draw safely and in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.template import Context, Template
from django.utils import timezone, translation

from cdp.common.svg import bar, sparkline
from cdp.common.templatetags import kit


def draw(source: str, **context: object) -> str:
    return Template("{% load kit %}" + source).render(Context(context))


def test_numbers_are_grouped_and_changes_signed() -> None:
    assert kit.number(1204881) == "1,204,881"
    assert kit.number(-1027) == "−1,027"
    assert kit.number(612.4) == "612.40"
    assert kit.number(None) == "–"
    assert kit.signed(412) == "+412"
    assert kit.signed(0) == "0"


def test_numbers_follow_the_readers_language() -> None:
    with translation.override("nl"):
        assert kit.number(1204881) == "1.204.881"


def test_counts_stop_at_ten_thousand() -> None:
    assert kit.capped(10_000) == "10,000"
    assert kit.capped(10_001) == "10,000+"


def test_shares() -> None:
    assert kit.percent(41, 100) == "41%"
    assert kit.percent(999, 1000) == "99.9%"
    assert kit.percent(1, 0) == "–"


def test_chips_escape_their_words() -> None:
    assert draw("{% chip text 'good' %}", text="<b>") == '<span class="chip chip-good">&lt;b&gt;</span>'


def test_initials() -> None:
    assert kit.initials("Anna de Vries") == "AV"
    assert kit.initials("anna@example.org") == "AE"
    assert kit.initials("") == "?"
    assert kit.initials("<script>") == "?"


def test_keys_become_words() -> None:
    assert kit.label("first_name") == "First name"
    assert kit.label("favouriteCategory") == "Favourite category"
    assert kit.label("_") == "_"


def test_relative_times_go_both_ways_and_end_in_dates() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert kit.relative(now - timedelta(minutes=4), now) == "4 minutes ago"
    assert kit.relative(now + timedelta(hours=2), now) == "in 2 hours"
    assert kit.relative(now - timedelta(seconds=3), now) == "just now"
    assert kit.relative(now - timedelta(days=200), now) == "7 May"
    assert kit.relative(now - timedelta(days=400), now) == "19 October 2025"


def test_the_exact_time_is_in_the_readers_zone() -> None:
    with timezone.override("Europe/Amsterdam"):
        assert kit.exact(datetime(2026, 7, 1, 12, tzinfo=UTC)) == "1 July 2026 14:00:00 CEST"


def test_json_values_are_written_for_readers() -> None:
    assert kit.plain(True) == "yes"
    assert kit.plain(["a", 1]) == "a, 1"
    assert kit.plain({"a": "é"}) == '{"a": "é"}'
    assert draw("{{ value|plain }}", value="<img onerror=x>") == "&lt;img onerror=x&gt;"
    assert "&lt;/script&gt;" in draw("{{ value|pretty_json }}", value={"a": "</script>"})


def test_drawings_have_no_inline_style() -> None:
    drawn = sparkline([1, 5, 3]) + bar([(3, "bad")], 10) + draw("{% progress 3 10 'x' %}")
    assert "style=" not in drawn
    assert "<svg" in drawn


def test_a_flat_line_and_a_single_point_do_not_break() -> None:
    assert "NaN" not in sparkline([5, 5, 5])
    assert sparkline([1]) == ""


def test_a_small_value_is_still_seen_and_zero_is_not() -> None:
    assert 'width="0.5"' in bar([(1, "bad")], 1_000_000)
    assert "<rect" not in bar([(0, "bad")], 10)


def test_a_waterfall_shows_what_falls_away() -> None:
    rows = [
        {"label": "Segment", "value": 100, "kind": "start"},
        {"label": "no consent", "value": 30, "url": "/why/"},
        {"label": "will be sent", "value": 70, "kind": "total"},
    ]
    html = draw("{% waterfall rows 'Who will get it' %}", rows=rows)
    assert "−&nbsp;" in html
    assert 'href="/why/"' in html
    assert "Who will get it" in html
