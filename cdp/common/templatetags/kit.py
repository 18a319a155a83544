"""The kit's tags and filters: `{% load kit %}`. Examples of each stand in templates/components/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cdp.common import masking, svg
from cdp.common.counting import COUNT_CAP
from cdp.common.trait_labels import trait_label

register = template.Library()

DAY = 86_400


# Figures ---------------------------------------------------------------------------------------------------------
@register.filter
def number(value: Any) -> str:
    """Write a number with thousands separators in the reader's language; anything else unchanged."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    decimals = None if isinstance(value, int) or value.is_integer() else 2
    shown = int(value) if isinstance(value, float) and value.is_integer() else value
    text = formats.number_format(abs(shown), decimal_pos=decimals, use_l10n=True, force_grouping=True)
    return f"\N{MINUS SIGN}{text}" if value < 0 else text


@register.filter
def signed(value: Any) -> str:
    """Write a change: `+412`, `−1,027`, `0`."""
    return f"+{number(value)}" if isinstance(value, (int, float)) and value > 0 else number(value)


@register.filter
def capped(value: Any) -> str:
    """Write a capped count: 10,001 and more become `10,000+`."""
    if isinstance(value, int) and value > COUNT_CAP:
        return f"{number(COUNT_CAP)}+"
    return number(value)


@register.filter
def percent(value: Any, total: Any) -> str:
    """Write the share of `value` in `total`: `41%`; a dash when there is no total."""
    if not total:
        return "–"
    share = 100 * float(value or 0) / float(total)
    return f"{share:.1f}%" if 0 < share < 10 or 99 < share < 100 else f"{share:.0f}%"


@register.filter
def rate(value: Any) -> str:
    """Write a number of things per second: `0.03`, `1.8`, `1,830`."""
    speed = float(value or 0)
    if speed >= 10:
        return number(round(speed))
    return formats.number_format(round(speed, 1 if speed >= 1 else 2), use_l10n=True) if speed else "0"


# Words -----------------------------------------------------------------------------------------------------------
@register.simple_tag
def chip(text: Any, tone: str = "", title: str = "") -> SafeString:
    """Draw a chip; `tone` is accent, good, warn, bad or empty. The text carries the meaning, the colour repeats it."""
    css = f"chip chip-{tone}" if tone else "chip"
    if title:
        return format_html('<span class="{}" title="{}">{}</span>', css, title, text)
    return format_html('<span class="{}">{}</span>', css, text)


@register.simple_tag
def capped_chip(count: int, tone: str = "") -> SafeString:
    """Draw a capped count as a chip."""
    return chip(capped(count), tone)


@register.filter
def initials(name: Any) -> str:
    """Return at most two letters for an avatar: first and last word of a name, `?` without one."""
    words = [word for word in str(name or "").replace("@", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@register.simple_tag
def avatar(name: Any, size: str = "") -> SafeString:
    """Draw the round with initials; `size` is empty or `small`."""
    return format_html(
        '<span class="avatar{}" aria-hidden="true">{}</span>', f" avatar-{size}" if size else "", initials(name)
    )


#: keys that are read letter by letter
ABBREVIATIONS = frozenset({"ip", "url", "id", "sku", "vat"})


@register.filter
def label(key: Any) -> str:
    """Write a trait's or property's key as words: `first_name` and `firstName` become `First name`, or `Voornaam`."""
    text = str(key)
    words = "".join(f" {c.lower()}" if c.isupper() and i and text[i - 1].islower() else c for i, c in enumerate(text))
    words = words.replace("_", " ").replace("-", " ").strip() or text
    return trait_label(words.upper() if words in ABBREVIATIONS else words[:1].upper() + words[1:])


@register.filter
def plain(value: Any) -> str:
    """Write a JSON value for a reader: text as it is, yes/no, figures grouped, the rest as compact JSON."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return ", ".join(str(item) for item in value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


@register.filter
def pretty_json(value: Any) -> str:
    """Write JSON over several lines. The template escapes it: never mark the result safe."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=str)


# Times -----------------------------------------------------------------------------------------------------------
def exact(moment: datetime) -> str:
    """Write a moment to the second in the reader's zone, and name the zone."""
    local = timezone.localtime(moment)
    return f"{formats.date_format(local, 'j F Y H:i:s')} {local.tzname() or ''}".strip()


def relative(moment: datetime, now: datetime | None = None) -> str:
    """Say how long ago (or ahead) a moment is; a date beyond a week."""
    now = now or timezone.now()
    seconds = int((now - moment).total_seconds())
    age = abs(seconds)
    if age >= 7 * DAY:
        local = timezone.localtime(moment)
        same_year = local.year == timezone.localtime(now).year
        return formats.date_format(local, "j F" if same_year else "j F Y")
    if age < 10:
        return _("just now")
    if age < 60:
        span = ngettext("%(n)d second", "%(n)d seconds", age) % {"n": age}
    elif age < 3600:
        span = ngettext("%(n)d minute", "%(n)d minutes", age // 60) % {"n": age // 60}
    elif age < DAY:
        span = ngettext("%(n)d hour", "%(n)d hours", age // 3600) % {"n": age // 3600}
    else:
        span = ngettext("%(n)d day", "%(n)d days", age // DAY) % {"n": age // DAY}
    return _("%(span)s ago") % {"span": span} if seconds > 0 else _("in %(span)s") % {"span": span}


@register.simple_tag
def ago(moment: datetime | None, empty: str = "–") -> SafeString | str:
    """Draw a relative time with the exact time on hover; times.js keeps it true."""
    if moment is None:
        return empty
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', moment.isoformat(), exact(moment), relative(moment)
    )


@register.simple_tag
def moment(value: datetime | date | None, style: str = "", empty: str = "–") -> SafeString | str:
    """Draw a date and time in the reader's zone; `style` is date, time or empty for both. Exact on hover."""
    if value is None:
        return empty
    if not isinstance(value, datetime):
        return formats.date_format(value, "j F Y")
    form = {"date": "j F Y", "time": "H:i"}.get(style, "j F Y H:i")
    text = formats.date_format(timezone.localtime(value), form)
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact(value), text)


@register.filter
def seconds(value: Any) -> str:
    """Write an age in seconds: `0.4 s`, `12 s`, `4 min`, `3 h`, `2 d`."""
    if value is None:
        return "–"
    span = float(value)
    if span < 10:
        return f"{span:.1f} s"
    if span < 120:
        return f"{span:.0f} s"
    if span < 7200:
        return f"{span / 60:.0f} min"
    return f"{span / 3600:.0f} h" if span < 2 * DAY else f"{span / DAY:.0f} d"


# Drawings ----------------------------------------------------------------------------------------------------------
@register.simple_tag
def sparkline(points: Sequence[float] | None, label: str = "") -> SafeString:
    """Draw a small line over the points, oldest first."""
    return svg.sparkline(points or (), label or _("last 30 days"))


@register.simple_tag
def bar(value: float, maximum: float, tone: str = "accent", thin: bool = False) -> SafeString:
    """Draw one bar of `value` on a scale of `maximum`."""
    return svg.bar([(value, tone)], maximum, thin=thin)


@register.simple_tag
def progress(value: float | None, maximum: float | None, label: str = "") -> SafeString:
    """Draw a progress element; without a value it shows that work goes on."""
    if value is None or not maximum:
        return format_html('<progress aria-label="{}"></progress>', label)
    return format_html('<progress value="{}" max="{}" aria-label="{}"></progress>', min(value, maximum), maximum, label)


@register.inclusion_tag("components/waterfall.html")
def waterfall(rows: Sequence[Mapping[str, Any]], caption: str = "") -> dict[str, Any]:
    """Draw a reconciled waterfall. Each row: label, value, kind (start, minus, total) and optionally url."""
    top = max((row["value"] for row in rows), default=0)
    tones = {"start": "accent", "total": "good"}
    drawn = [{**row, "bar": svg.bar([(row["value"], tones.get(row.get("kind", ""), "bad"))], top)} for row in rows]
    return {"rows": drawn, "caption": caption}


@register.inclusion_tag("components/figure.html")
def figure(
    label: Any,
    value: Any,
    url: str = "",
    detail: Any = "",
    points: Sequence[float] | None = None,
    plain: bool = False,
    cap: bool = False,
) -> dict[str, Any]:
    """Draw a figure: label, value (a link to the rows behind it), sparkline. `plain` leaves the card out."""
    shown = capped(value) if cap else number(value)
    return {"label": label, "value": shown, "url": url, "detail": detail, "points": points, "plain": plain}


@register.inclusion_tag("components/empty.html")
def empty_state(title: Any, text: Any = "", url: str = "", action: Any = "") -> dict[str, Any]:
    """Draw an empty state: what the thing is, and the first step."""
    return {"title": title, "text": text, "url": url, "action": action}


@register.simple_tag(takes_context=True)
def without(context: Mapping[str, Any], name: str) -> str:
    """Return the query string without the parameter `name` and without the place in the list."""
    query = context["request"].GET.copy()
    for key in (name, "at"):
        query.pop(key, None)
    return f"?{query.urlencode()}"


# Personal data -----------------------------------------------------------------------------------------------------
@register.simple_tag(takes_context=True)
def pii(context: Mapping[str, Any], value: Any, kind: str = "name") -> str:
    """Write a person's name, a `text` of ours, one from `outside`, the name of an `event`, or an identifier of the
    given kind; masked for a reader who may not see it.
    """
    reader, text = _reader(context), str(value if value is not None else "")
    ways = {
        "name": reader.name,
        "text": reader.text,
        "outside": reader.outside,
        "event": reader.event,
        "message_id": reader.message_id,
    }
    return ways[kind](text) if kind in ways else reader.identifier(kind, text)


@register.simple_tag(takes_context=True)
def trait(context: Mapping[str, Any], key: str, value: Any) -> str:
    """Write a trait's or property's value; masked for a reader who may not see who people are."""
    return plain(_reader(context).trait(key, value))


def _reader(context: Mapping[str, Any]) -> masking.Reader:
    request = context.get("request")
    return masking.Reader(context.get("user")) if request is None else masking.reader_of(request)
