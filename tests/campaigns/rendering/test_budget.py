"""How much a render may do: counted in steps, bounded in processor time, never by a clock that runs while we wait."""

from __future__ import annotations

import time
from typing import Any

import pytest

from campaigns.rendering import budget
from campaigns.rendering.engine import parse, render
from campaigns.rendering.problems import RenderFailure

LONG = list(range(10_000))
HOSTILE = {
    "many loops in a row": "{% for i in (1..9999) %}x{% endfor %}" * 50,
    "loops inside loops": "{% for i in (1..99) %}{% for j in (1..99) %}{{ j }}{% endfor %}{% endfor %}" * 20,
    "empty loops": "{% for i in (1..9999) %}{% endfor %}" * 50,
    "rows of tables": "{% tablerow i in (1..9999) cols:3 %}x{% endtablerow %}" * 50,
    "conditions": "{% for i in (1..9999) %}{% if i == 1 %}{% elsif i == 2 %}{% else %}{% endif %}{% endfor %}" * 20,
    "captures": "{% for i in (1..9999) %}{% capture x %}{{ i }}{% endcapture %}{% endfor %}" * 20,
    "quadratic filter": "{{ person.long | uniq | size }}" * 20,
    "filters on long lists": "{% for i in (1..999) %}{{ person.long | sort | reverse | size }}{% endfor %}" * 5,
    "filters on long texts": "{% for i in (1..9999) %}{{ person.text | url_decode | size }}{% endfor %}",
}


def fill(source: str, **person: Any) -> str:
    """Render a bare template for a person."""
    return render(parse(source, field="body", html=False), {"person": person})


@pytest.mark.parametrize("name", HOSTILE)
def test_a_template_that_does_too_much_is_ended_by_its_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "RENDER_SECONDS", 1e9)  # the steps alone must do it
    with pytest.raises(RenderFailure, match="too much"):
        fill(HOSTILE[name], long=LONG, text="%" * 90_000)


def test_a_long_order_is_no_trouble() -> None:
    lines = [{"name": f"Product {number}", "price": number, "tags": ["a", "b"]} for number in range(500)]
    source = (
        "{% for line in person.lines %}{% if line.price > 10 %}<li>{{ line.name | upcase }}: {{ line.price }} "
        "{% for tag in line.tags %}{{ tag | capitalize }} {% endfor %}</li>{% endif %}{% endfor %}"
    )
    assert "PRODUCT 499" in fill(source, lines=lines)


class Slow:
    """A value that takes its time when it is printed: waiting, or computing."""

    def __init__(self, *, wait: float = 0.0, compute: list[float]) -> None:
        self.wait = wait
        self.compute = compute

    def __str__(self) -> str:
        time.sleep(self.wait)
        end = time.thread_time() + (self.compute.pop(0) if self.compute else 0.0)
        while time.thread_time() < end:
            pass
        return "slow"


def test_a_machine_that_stalls_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "RENDER_SECONDS", 0.05)
    source = "{{ person.slow }}{% for i in (1..999) %}{{ i | plus: 1 }}{% endfor %}"
    assert fill(source, slow=Slow(wait=0.3, compute=[])).startswith("slow")


def test_a_render_that_took_too_long_once_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "RENDER_SECONDS", 0.05)
    source = "{{ person.slow }}{% for i in (1..999) %}{{ i | plus: 1 }}{% endfor %}"
    assert fill(source, slow=Slow(compute=[0.1])).startswith("slow")
    with pytest.raises(RenderFailure, match="too long"):
        fill(source, slow=Slow(compute=[0.1, 0.1, 0.1]))
