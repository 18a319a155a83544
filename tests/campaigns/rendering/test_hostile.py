"""Hostile text of the size that a form may hold: every parser on the way of a message ends soon, and none ends us.

Each is compiled in a process of its own with ten seconds of processor time: a library that overflows its stack ends the
process, and once that was the web server's.
"""

from __future__ import annotations

import os
import resource
import signal
import time

import pytest

from campaigns.rendering.compiling import Draft, compile_message
from campaigns.rendering.problems import TemplateProblem
from campaigns.rendering.safety import inspect_html

SIZE, SECONDS = 199_000, 10


def fill(unit: str, size: int = SIZE) -> str:
    """Repeat to a size."""
    return (unit * (size // len(unit) + 1))[:size]


def design(text: str = "a", head: str = "") -> str:
    """Return an own design around a text."""
    inner = f"<mj-section><mj-column><mj-text>{text}</mj-text></mj-column></mj-section>"
    return f"<mjml>{head}<mj-body>{inner}</mj-body></mjml>"


LETTERS = {
    "brackets": fill("["), "pictures": fill("!["), "links": fill("[a](b"), "stars": fill("*a **b "),
    "underscores": fill("_a__b "), "ticks": fill("`a``b```c"), "angles": fill("<a@b "), "backslashes": fill("\\"),
    "quotes": fill("> "), "tables": fill("|a|\n|-|\n"), "references": "[a]: b\n\n" + fill("[a]", 190_000),
    "lists in lists": "\n".join("  " * depth + "- a" for depth in range(440)),
    "quotes in quotes": "\n".join("> " * depth + "- a" for depth in range(400)),
    "openers of values": fill("{{"), "openers of tags": fill("{% "), "many values": fill("{{ person.a }}"),
    "a long path": "{{ person" + fill(".a", 190_000) + " }}",
    "a long filter": "{{ person.a " + fill("| upcase ") + "}}",
    "a long condition": "{% if " + fill("person.a or ", 190_000) + "person.a %}x{% endif %}",
    "many assignments": fill("{% assign a = person.a %}"), "many paragraphs": fill("a\n\n"),
    "blocks in blocks": "{% if person.a %}" * 900 + "x" + "{% endif %}" * 900,
}  # fmt: skip
DESIGNS = {
    "boxes in boxes": design("<div>" * 15_000 + "a" + "</div>" * 15_000), "open elements": design("<b>" * 60_000),
    "tables in tables": design("<table><tr><td>" * 6_000 + "</td></tr></table>" * 6_000),
    "sections in sections": "<mjml><mj-body>" + "<mj-section><mj-column>" * 3_000 + "</mj-column></mj-section>" * 3_000
    + "</mj-body></mjml>",
    "wrappers in wrappers": "<mjml><mj-body>" + "<mj-wrapper>" * 7_000 + "</mj-wrapper>" * 7_000 + "</mj-body></mjml>",
    "raw": "<mjml><mj-body><mj-raw>" + "<div>" * 30_000 + "</mj-raw></mj-body></mjml>",
    "conditional comments": design("<!-- [if a]>" * 15_000), "attributes": design("<b " + fill("a='x' ") + ">x</b>"),
    "half tags": design("<a " * 60_000), "entities": design("&amp;" * 38_000),
    "selectors": design("<b class='a1'>x</b>" * 500, "<mj-head><mj-style inline='inline'>"
                        + "".join(f".a{number} *{{color:red}}" for number in range(4_000)) + "</mj-style></mj-head>"),
    "imports": design(head="<mj-head><mj-style>" + fill("@import url(", 190_000) + "</mj-style></mj-head>"),
    "the most that is allowed": "<mjml><mj-body>" + "<mj-section><mj-column>" * 740 + "</mj-column></mj-section>" * 740
    + "</mj-body></mjml>",
    "the most boxes": design("<div>" * 1_450 + "{{ person.a }}" + "</div>" * 1_450),
}  # fmt: skip


def compile_apart(draft: Draft) -> int:
    """Compile in a process of its own; return the signal that ended it, or 0."""
    child = os.fork()
    if not child:
        used = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS, used + SECONDS))
        try:
            compile_message(draft)
        except TemplateProblem:
            pass
        finally:
            os._exit(0)
    _pid, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


@pytest.mark.parametrize("name", LETTERS)
def test_a_hostile_letter_ends_soon(name: str) -> None:
    assert signal.strsignal(compile_apart(Draft("x", LETTERS[name], "letter")) or signal.SIGCONT) == "Continued"


@pytest.mark.parametrize("name", DESIGNS)
def test_a_hostile_design_ends_soon(name: str) -> None:
    assert signal.strsignal(compile_apart(Draft("x", DESIGNS[name], "mjml")) or signal.SIGCONT) == "Continued"


def test_a_subject_is_looked_at_too() -> None:
    with pytest.raises(TemplateProblem, match="does not end"):
        compile_message(Draft("{{" * 100, "a", "letter"))


def test_what_is_refused_names_its_line() -> None:
    with pytest.raises(TemplateProblem) as refused:
        compile_message(Draft("x", "a\n\nb {{ person.a", "letter"))
    assert refused.value.detail["line"] == 3


@pytest.mark.parametrize(
    "css",
    [
        r"@\69mport url(//evil.example/x.css)",
        r"@\000069 mport url(//evil.example/x.css)",
        r"a{background:u\72l(javascript:x)}",
        r"a{background:\75\72\6c(//evil.example/x)}",
        r"a{background:ur\l(//evil.example/x)}",
        "a{background:ur/**/l(//evil.example/x)}",
        "a{width:exp/**/ression(alert(1))}",
        r"a{width:e\78pression(alert(1))}",
        r"a{behav\69or:url(#x)}",
    ],
)
def test_styles_are_read_as_browsers_read_them(css: str) -> None:
    with pytest.raises(TemplateProblem, match="may not hold"):
        compile_message(Draft("x", design(head=f"<mj-head><mj-style>{css}</mj-style></mj-head>"), "mjml"))
    with pytest.raises(TemplateProblem, match="may not hold"):
        inspect_html(f'<p style="{css.replace("a{", "")}">', liquid_word="zzz", field="body")


def test_an_innocent_style_stays() -> None:
    compile_message(
        Draft("x", design(head="<mj-head><mj-style>a{color:red} /* a comment */</mj-style></mj-head>"), "mjml")
    )
