"""Small drawings made on the server. Geometry is in attributes: inline style is forbidden by the page's policy."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 120.0, 24.0


def sparkline(points: Sequence[float | int | None], label: str = "") -> SafeString:
    """Draw a line over `points`, oldest first; nothing for fewer than two. None counts as zero."""
    values = [float(point or 0) for point in points]
    if len(values) < 2:
        return SafeString("")
    low, high = min(values), max(values)
    span = high - low
    step = WIDTH / (len(values) - 1)
    # A flat line lies in the middle; 2 pixels stay free so that the stroke is not cut.
    places = [
        (round(index * step, 1), round(HEIGHT - 2 - (HEIGHT - 4) * ((value - low) / span if span else 0.5), 1))
        for index, value in enumerate(values)
    ]
    path = " ".join(f"{x},{y}" for x, y in places)
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polyline class="sparkline-line" points="{}"/></svg>',
        int(WIDTH),
        int(HEIGHT),
        label,
        path,
    )


def bar(segments: Sequence[tuple[float, str]], maximum: float, *, thin: bool = False) -> SafeString:
    """Draw segments (value, tone) one after another on a scale of `maximum`; tones: accent, good, warn, bad.

    A value above zero is always visible, be it by a hair. The figure stands beside it in text, so the drawing is
    hidden from screen readers.
    """
    left = 0.0
    parts = []
    for value, tone in segments:
        width = max(0.5, 100 * value / maximum) if value > 0 and maximum > 0 else 0.0
        parts.append((round(left, 2), round(min(width, 100 - left), 2), tone))
        left += width
    drawn = format_html_join(
        "", '<rect x="{}" width="{}" height="18" rx="0.6" class="bar-{}"/>', (part for part in parts if part[1] > 0)
    )
    ground = SafeString('<rect width="100" height="18" class="bar-ground"/>') if thin else SafeString("")
    return format_html(
        '<svg class="bar{}" viewBox="0 0 100 18" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>',
        " bar-thin" if thin else "",
        ground,
        drawn,
    )
