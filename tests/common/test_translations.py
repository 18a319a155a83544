"""The Dutch texts are whole: every text of the code has one, complete, with the same fields."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client
from django.utils.translation import override
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
APPS = ("cdp", "profiles", "consent", "segments", "campaigns")
OWN = ROOT / "locale" / "nl" / "LC_MESSAGES" / "django.po"
LIBRARIES = ROOT / "locale" / "libraries" / "nl" / "LC_MESSAGES" / "django.po"
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
FIELD = re.compile(r"%\(\w+\)[sd]|(?<!%)%[sd]|\{\w*\}|\{\{.*?\}\}|\{%.*?%\}|<[^>]+>")


def sources() -> Iterator[Path]:
    """Yield the code and the templates of the product."""
    for app in APPS:
        yield from sorted((ROOT / app).rglob("*.py"))
    for folder in (ROOT / "templates", *(ROOT / app for app in APPS)):
        yield from sorted((*folder.rglob("*.html"), *folder.rglob("*.txt"), *folder.rglob("*.mjml")))


def marked() -> dict[tuple[str | None, str], set[str]]:
    """Return (context, text) -> files of everything marked for translation."""
    found: dict[tuple[str | None, str], set[str]] = {}
    for path in sources():
        code = path.read_text(encoding="utf-8")
        if path.suffix != ".py":
            # What is left of a template are calls among blanks; its indentation would be an error in Python.
            code = "\n".join(line.strip() for line in templatize(code).splitlines())
        for _line, message, _comments, context in extract("python", io.BytesIO(code.encode()), keywords=KEYWORDS):
            text = message if isinstance(message, str) else message[0]
            found.setdefault((context, text), set()).add(str(path.relative_to(ROOT)))
    return found


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="nl")


def entries(path: Path) -> list[Message]:
    return [message for message in catalogue(path) if message.id]


def forms(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)  # type: ignore[arg-type]  # babel: str or tuple of str


def fields(text: str) -> set[str]:
    """Return what must come back unchanged in a translation: fields, tags of templates and of HTML."""
    return {re.sub(r'default: ".*?"', "default", field) for field in FIELD.findall(text)}


def test_every_marked_text_has_a_dutch_one() -> None:
    known = {(message.context, forms(message.id)[0]) for message in entries(OWN)}
    found = marked()
    assert len(found) > 1000
    missing = {text: sorted(files) for (context, text), files in found.items() if text and (context, text) not in known}
    assert missing == {}, "run makemessages, then translate these"


def test_no_dutch_text_is_without_use() -> None:
    used = set(marked())
    stale = [message.id for message in entries(OWN) if (message.context, forms(message.id)[0]) not in used]
    assert stale == [], "run makemessages --no-obsolete"


@pytest.mark.parametrize("path", [OWN, LIBRARIES], ids=["own", "libraries"])
def test_every_entry_is_complete_and_sure(path: Path) -> None:
    unsure = [message.id for message in entries(path) if message.fuzzy]
    empty = [message.id for message in entries(path) if not all(forms(message.string))]
    assert (unsure, empty) == ([], [])


@pytest.mark.parametrize("path", [OWN, LIBRARIES], ids=["own", "libraries"])
def test_fields_and_tags_come_back_in_every_form(path: Path) -> None:
    wrong = []
    for message in entries(path):
        originals, said = forms(message.id), forms(message.string)
        if len(originals) != len(said):
            wrong.append((message.id, "number of forms"))
        for original, form in zip(originals, said, strict=False):
            if fields(original) != fields(form):
                wrong.append((message.id, form))
            if (original[:1].isspace(), original[-1:].isspace()) != (form[:1].isspace(), form[-1:].isspace()):
                wrong.append((message.id, "blanks at the ends"))
    assert wrong == []


def test_markers_keep_names_that_extraction_knows() -> None:
    strange = []
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
                    strange += [
                        f"{path.relative_to(ROOT)}: {name.asname}"
                        for name in node.names
                        if name.asname not in (None, "_") and "gettext" in name.name
                    ]
    assert strange == []


def test_no_marked_text_hides_in_an_f_string() -> None:
    hidden = []
    for path in (path for path in sources() if path.suffix == ".py"):
        for text in (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.JoinedStr)):
            calls = [node for node in ast.walk(text) if isinstance(node, ast.Call)]
            names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
            if names & set(KEYWORDS):
                hidden.append(f"{path.relative_to(ROOT)}:{text.lineno}")
    assert hidden == [], "extraction does not look into f-strings: give the text a name first"


@pytest.mark.django_db
def test_the_login_page_follows_the_browser() -> None:
    with override("en"):  # a request leaves its language behind; the next test must not find it
        page = Client().get("/login/", headers={"accept-language": "nl-BE,nl;q=0.9,en;q=0.5"}).content.decode()
    assert '<html lang="nl">' in page
    assert "Inloggen" in page
