"""What a template can and cannot do: merge values, nothing else, within limits, with its errors at their line."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.rendering.compiling import EMPTY_CONTEXT, Draft, compile_message
from campaigns.rendering.engine import parse, render
from campaigns.rendering.guards import safe_url
from campaigns.rendering.problems import RenderFailure, TemplateProblem

PERSON: dict[str, Any] = {
    "first_name": "Anna",
    "nasty": "<script>alert(1)</script>",
    "liquid": "{{ person.first_name }}{% for i in (1..9) %}x{% endfor %}",
    "url": "java\tscript:alert(1)",
    "items": [{"name": "Sneaker"}, {"name": "Boot & co"}],
}


def fill(source: str, *, html: bool = True) -> str:
    """Render a bare template."""
    return render(parse(source, field="body", html=html), {"person": PERSON})


def letter(body: str, form: str = "letter") -> tuple[str, str]:
    """Compile and render a whole message; return HTML and text."""
    compiled = compile_message(Draft(subject="S", body=body, format=form))
    context = {**EMPTY_CONTEXT, "person": PERSON}
    return (
        render(parse(compiled.html, field="body", html=True), context),
        render(parse(compiled.text, field="body", html=False), context),
    )


def mjml(inner: str) -> str:
    """Wrap a piece in a minimal own design."""
    return f"<mjml><mj-body><mj-section><mj-column><mj-text>{inner}</mj-text></mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{% include 'x' %}",
        "{% render 'x' %}",
        "{% load x %}",
        '{{ env "X" }}',
        "{{ person.first_name | safe }}",
        "{{ person.first_name",
        "{% if person.x %}",
        "{% for i in %}{% endfor %}",
        "{% if " + "a and " * 5000 + "b %}{% endif %}",
    ],
)
def test_what_is_no_merge_tag_is_refused_at_save(source: str) -> None:
    with pytest.raises(TemplateProblem):
        compile_message(Draft(subject="S", body=source, format="letter"))


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{% for i in (1..200) %}{% for j in (1..200) %}{% for k in (1..200) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% tablerow i in (1..1000000000) %}x{% endtablerow %}",
        "{{ (1..1000000000) | join: '' }}",
        "{{ (1..1000000000) | sort }}",
        "{{ (1..1000000000) | concat: person.items }}",
        '{% assign x="aaaaaaaaaa" %}{% for i in (1..40) %}{% assign x = x | append: x %}{% endfor %}',
        "{% assign x = 9 %}{% for i in (1..40) %}{% assign x = x | times: x %}{% endfor %}{{ x }}",
        "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaa'" * 8 + " }}",
        "{{ 'now' | date: '%99999999d' }}",
        "{% break %}",
    ],
)
def test_a_bomb_fails_alone_and_soon(source: str) -> None:
    with pytest.raises(RenderFailure):
        fill(source)
    with pytest.raises(TemplateProblem):  # and is found at save
        compile_message(Draft(subject="S", body=source, format="letter"))


FILTERS = (
    "escape", "escape_once", "newline_to_br", "strip_newlines", "upcase", "capitalize", "append: '<u>'",
    "default: '<u>'", "replace: 's', '<u>'", "slice: 1, 9", "squish", "split: 'x'", "truncate: 12", "url_decode",
    "remove: 'script'", "join",
)  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_lets_markup_of_a_person_through(name: str) -> None:
    result = fill("{{ person.nasty | " + name + " }}")
    assert "<s" not in result.lower() and "<u>" not in result


@pytest.mark.parametrize(
    "source",
    [
        '{{ "<script>" }}',
        '{% assign x = "<script>" %}{{ x }}',
        '{% capture x %}[script]{% endcapture %}{{ x | replace: "[", "<" }}',
        '{% cycle "<script>", "b" %}',
        '{% echo "<script>" %}',
        "{{ person.items | join: '<script>' }}",
        "{% capture x %}a<b title='<script>'>{% endcapture %}{{ x | slice: 12, 20 }}",
    ],
)
def test_text_written_in_a_tag_is_text(source: str) -> None:
    assert "<script" not in fill(source)


def test_a_value_is_never_read_as_a_template() -> None:
    html, text = letter("Hi {{ person.liquid }}")
    assert "{{ person.first_name }}" in html and "{{ person.first_name }}" in text and "xxxxx" not in html


def test_a_loop_around_table_rows_and_list_items_survives() -> None:
    html, text = letter(
        "| Product |\n|---|\n{% for item in person.items %}\n| {{ item.name }} |\n{% endfor %}\n\n"
        "{% for item in person.items %}\n- {{ item.name }}\n{% endfor %}\n"
    )
    table = html[html.index("<thead>") :]
    assert table.count(">Sneaker</td>") == 1 and table.count(">Boot &amp; co</td>") == 1
    assert html.count("<li>") == 2 and text.count("Sneaker") == 2 and text.count("Boot & co") == 2


def test_a_loop_in_an_own_table_survives() -> None:
    html, _text = letter(
        mjml("<table>{% for item in person.items %}<tr><td>{{ item.name }}</td></tr>{% endfor %}</table>"), "mjml"
    )
    assert html.count("<tr><td") >= 2 and "Boot &amp; co" in html


@pytest.mark.parametrize(
    "piece",
    [
        "<script>x</script>",
        '<p onclick="x">a</p>',
        '<a href="javascript:x">a</a>',
        '<a href="//evil.example">a</a>',
        '<a href="data:text/html,x">a</a>',
        "<{{ person.nasty }}>a</b>",
        "<p {{ person.nasty }}>a</p>",
        '<p style="color:{{ person.nasty }}">a</p>',
        '<!--[if mso]><a href="javascript:1">x</a><![endif]-->',
        '<iframe src="https://x.example"></iframe>',
        "<scr{% if person.x %}{% endif %}ipt>x</script>",
        "{% raw %}<script>{% endraw %}",
        "<mj-foo>x</mj-foo>",
        "a < 3",
    ],
)
def test_what_acts_may_not_stand_in_a_mail(piece: str) -> None:
    with pytest.raises(TemplateProblem):
        compile_message(Draft(subject="S", body=mjml(piece), format="mjml"))


def test_a_link_from_a_value_must_be_a_link() -> None:
    html, _text = letter("[map]({{ person.url }}) and [shop](https://shop.example/?a={{ person.first_name }})")
    assert 'href="#"' in html and "script:alert" not in html and "https://shop.example/?a=Anna" in html


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://a.example/?x=1&y=2", True),
        ("mailto:a@b.example", True),
        ("tel:+31201234567", True),
        (" \x01java\nscript:alert(1)", False),
        ("JaVaScRiPt:1", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("relative", False),
    ],
)
def test_only_schemes_of_a_mail_pass(address: str, allowed: bool) -> None:
    assert (str(safe_url(address)) != "#") is allowed


@pytest.mark.parametrize("body", ["Hi", mjml("Hi")])
def test_no_mail_goes_without_a_way_out_and_a_sender(body: str) -> None:
    html, text = letter(body, "mjml" if body.startswith("<") else "letter")
    for part in (html, text):
        assert "https://example.org/u" in part and "https://example.org/p" in part


def test_no_mail_fetches_fonts_or_styles_from_strangers() -> None:
    html, _text = letter("Hi")
    assert "googleapis" not in html and "@import" not in html and "<link" not in html


def test_an_error_names_the_line() -> None:
    with pytest.raises(TemplateProblem) as found:
        compile_message(Draft(subject="S", body="one\ntwo\nthree {{ person.x | nosuch }}", format="letter"))
    assert (found.value.field, found.value.line) == ("body", 3)


def test_a_gap_and_an_unknown_trait_are_pointed_out() -> None:
    body = "Hi {{ person.first_name }}, {{ person.city | default: 'there' }}"
    body += "{% if person.plan %}{{ person.plan }}{% endif %}"
    warnings = compile_message(
        Draft(subject="S", body=body, format="letter"), known_traits={"first_name", "city"}
    ).warnings
    assert "first_name" in next(item.message for item in warnings if item.code == "no_default")
    assert [item.code for item in warnings].count("no_default") == 1
    assert any(item.code == "unknown_trait" and "plan" in item.message for item in warnings)


def test_an_unknown_name_is_refused_with_the_mend() -> None:
    with pytest.raises(TemplateProblem) as found:
        compile_message(Draft(subject="Hi {{ first_name }}", body="x", format="letter"))
    assert "person.first_name" in str(found.value.message)
