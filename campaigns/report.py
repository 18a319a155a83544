"""The figures of a campaign as waterfalls that add up: before sending from the gate, after it from the decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.forecast import Forecast
from campaigns.models import Campaign, Delivery, SendQueue
from campaigns.querysets.deliveries import Tally
from campaigns.reasons import DELIVERY_REASONS, WATERFALL

#: what is neither sent, left out nor failed
OUTCOME_LABELS = {
    "cancelled": gettext_noop("cancelled"),
    "unknown": gettext_noop("nobody can know"),
    "pending": gettext_noop("still waiting"),
}


@dataclass(frozen=True)
class Report:
    """A campaign's result. `adds_up` is the identity that must always hold."""

    total: int
    tally: Tally

    @property
    def adds_up(self) -> bool:
        """Tell whether audience = sent + skipped + failed + unknown + cancelled + pending."""
        return self.total == self.tally.total

    def as_dict(self) -> dict[str, Any]:
        """Return the report for the API."""
        outcomes = ("sent", "skipped", "failed", "unknown", "cancelled", "pending")
        return {
            "audience": self.total,
            **{outcome: self.tally.of(outcome) for outcome in outcomes},
            "reasons": [
                {"outcome": outcome, "reason": reason, "label": DELIVERY_REASONS.label(reason), "people": people}
                for (outcome, reason), people in sorted(self.tally.by_reason.items())
                if reason
            ],
            "adds_up": self.adds_up,
        }


def report_of(campaign: Campaign) -> Report:
    """Count a campaign's decisions; once for all when it has ended and nothing of it is on its way."""
    if campaign.ended and campaign.closed_tally is not None:
        tally = Tally.of_rows(campaign.closed_tally)
    else:
        tally = Delivery.objects.of_campaign(campaign.pk).tally()
        if campaign.ended and not SendQueue.objects.filter(campaign_id=campaign.pk).exists():
            Campaign.objects.filter(pk=campaign.pk, status=campaign.status).update(closed_tally=tally.as_rows())
    return Report(campaign.audience_total if campaign.audience_total is not None else tally.total, tally)


def forecast_rows(campaign: Campaign, forecast: Forecast) -> list[dict[str, Any]]:
    """Return the waterfall of what would happen now; every number leads to its people."""
    base = reverse("campaigns:forecast_people", args=[campaign.pk])
    rows: list[dict[str, Any]] = [
        {"label": campaign.segment.name if campaign.segment else "", "value": forecast.total, "kind": "start",
         "url": reverse("segments:detail", args=[campaign.segment.slug]) if campaign.segment else ""}
    ]  # fmt: skip
    rows += [
        {
            "label": DELIVERY_REASONS.label(reason),
            "value": people,
            "kind": "minus",
            "url": f"{base}?{urlencode({'reason': reason})}",
        }
        for reason, people in forecast.skipped.items()
    ]
    rows.append({"label": _("will be sent"), "value": forecast.will_be_sent, "kind": "total", "url": f"{base}?reason="})
    return rows


def report_rows(campaign: Campaign, report: Report) -> list[dict[str, Any]]:
    """Return the waterfall of what happened, reconciled to the audience; every number leads to its decisions."""
    base = reverse("campaigns:deliveries", args=[campaign.pk]) if campaign.decisions_removed_at is None else ""

    def link(**query: str) -> str:
        return f"{base}?{urlencode(query)}" if base else ""  # retention removed whom it would show

    rows: list[dict[str, Any]] = [{"label": _("audience"), "value": report.total, "kind": "start", "url": base}]
    order = {reason: place for place, reason in enumerate(WATERFALL)}
    parts = sorted(report.tally.by_reason.items(), key=lambda part: order.get(part[0][1], 99))
    for (outcome, reason), people in parts:
        if outcome in ("skipped", "failed"):
            rows.append(
                {
                    "label": DELIVERY_REASONS.label(reason),
                    "value": people,
                    "kind": "minus",
                    "url": link(outcome=outcome, reason=reason),
                }
            )
    for outcome, label in OUTCOME_LABELS.items():
        if report.tally.of(outcome):
            rows.append(
                {
                    "label": _(label),
                    "value": report.tally.of(outcome),
                    "kind": "minus",
                    "url": link(outcome=outcome),
                }
            )
    rows.append({"label": _("sent"), "value": report.tally.of("sent"), "kind": "total", "url": link(outcome="sent")})
    return rows


@dataclass(frozen=True)
class Change:
    """A line that differs between the forecast and the result: fewer or more people than foreseen."""

    code: str
    label: str
    foreseen: int
    found: int
    url: str

    @property
    def difference(self) -> int:
        """Return how many more there are than foreseen."""
        return self.found - self.foreseen


def changes_since_forecast(campaign: Campaign, report: Report) -> list[Change]:
    """Return every line in which the result differs from what was foreseen when the campaign was scheduled.

    The differences add up: those of the audience equal those of all lines below it. Empty when nothing differs.
    """
    if campaign.forecast is None:
        return []
    base = reverse("campaigns:deliveries", args=[campaign.pk])
    total, skipped = int(campaign.forecast["total"]), dict(campaign.forecast["skipped"])
    found = {reason: people for (outcome, reason), people in report.tally.by_reason.items() if outcome != "unknown"}
    lines = [Change("audience", _("audience"), total, report.total, base)]
    for reason in sorted({*skipped, *found} - {"", "cancelled"}, key=lambda code: (*WATERFALL, code).index(code)):
        lines.append(
            Change(
                reason,
                DELIVERY_REASONS.label(reason),
                int(skipped.get(reason, 0)),
                found.get(reason, 0),
                f"{base}?{urlencode({'reason': reason})}",
            )
        )
    for outcome, label in OUTCOME_LABELS.items():
        lines.append(Change(outcome, _(label), 0, report.tally.of(outcome), f"{base}?outcome={outcome}"))
    foreseen = total - sum(int(people) for people in skipped.values())
    lines.append(Change("sent", _("sent"), foreseen, report.tally.of("sent"), f"{base}?outcome=sent"))
    return [line for line in lines if line.difference]
