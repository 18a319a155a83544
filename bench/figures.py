"""What a measurement is, and the table that is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line: what was reached, what the machine can do bare, what the design asks."""

    what: str
    value: float
    unit: str
    bare: float | None = None
    bare_what: str = ""
    budget: float | None = None
    lower_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Return the share of the bare limit that was reached (for times: how many times the bare one)."""
        if not self.bare or not self.value:
            return None
        return self.value / self.bare

    @property
    def verdict(self) -> str:
        """Say whether the budget was met on this machine."""
        if self.budget is None:
            return ""
        met = self.value <= self.budget if self.lower_is_better else self.value >= self.budget
        return "met" if met else "missed"


def number(value: float | None) -> str:
    """Write a number as a person reads it: thousands apart, small ones with decimals."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as an aligned text table."""
    head = ("what", "reached", "unit", "bare limit", "of bare", "budget", "", "note")
    rows = [head]
    for figure in figures:
        bare = f"{number(figure.bare)} {figure.bare_what}".strip() if figure.bare is not None else ""
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
        budget = "" if figure.budget is None else f"{'<=' if figure.lower_is_better else '>='} {number(figure.budget)}"
        rows.append((figure.what, number(figure.value), figure.unit, bare, ratio, budget, figure.verdict, figure.note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
