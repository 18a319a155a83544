"""Reasons: a code with parameters is stored, the sentence is made when it is shown, in the reader's language."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.utils.translation import override

from cdp.common.reasons import ReasonTable, ReasonText, reason_hint, reason_label, reason_tables, reason_text

FIELD = re.compile(r"%\((\w+)\)s")
TABLES = [pytest.param(table, id=area) for area, table in reason_tables.items() if area != "test"]
SAMPLE = ReasonTable(
    "test",
    {
        "plain": ReasonText("Nested too deeply"),
        "reply": ReasonText("Out of reach", "More than 5%% were refused, the last with: %(reply)s.", "Ask %(whom)s."),
    },
)


def test_what_comes_from_outside_stays_as_it_is_and_the_sentence_is_the_readers() -> None:
    reply = "421 (100%) busy %(x)s.\nLater"
    assert SAMPLE.text("reply", {"reply": reply}) == f"More than 5% were refused, the last with: {reply}."
    with override("nl"):
        assert reason_text("pause.unreachable", {"reply": reply}).startswith("De mailserver is niet bereikbaar")
        assert reply in reason_text("pause.unreachable", {"reply": reply})


def test_missing_parameters_give_the_label_and_unknown_codes_themselves() -> None:
    assert SAMPLE.text("reply", {"other": 1}) == "Out of reach" == SAMPLE.text("reply")
    assert SAMPLE.sentence("reply", {}) == "" == SAMPLE.hint("reply", {})
    assert SAMPLE.text("never_heard", {}) == "never heard"
    assert reason_label("nowhere.at_all") == "nowhere: at all" == reason_text("nowhere.at_all")
    assert reason_hint("test.reply", {"whom": ["a", 12345]}) == "Ask a, 12,345."


@pytest.mark.parametrize("table", TABLES)
def test_labels_stand_without_parameters_and_sentences_beside_them(table: ReasonTable) -> None:
    for code, words in table.texts.items():
        assert words.label and not FIELD.search(words.label), code
        assert "%" not in words.label, f"{table.area}.{code}: write the word, the label is shown as it is"
        assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", code), code


def test_a_code_of_a_column_fits_it() -> None:
    """The codes of each table fit the column that they are stored in."""
    columns = {
        "rejection": ("profiles.RejectedMessage", "code"),
        "import_row": ("profiles.ImportRow", "reason"),
        "import": ("profiles.Import", "error_code"),
        "segment": ("segments.Segment", "broken_code"),
        "pause": ("campaigns.Campaign", "pause_code"),
        "delivery": ("campaigns.Delivery", "reason"),
    }
    for area, (model, column) in columns.items():
        longest = max(map(len, reason_tables.get(area)))
        assert longest <= apps.get_model(model)._meta.get_field(column).max_length, area


def test_every_code_that_is_raised_for_a_message_has_words() -> None:
    root = Path(settings.BASE_DIR)
    raised = set()
    for path in (root / "profiles" / "messages").glob("*.py"):
        raised |= set(re.findall(r'(?:Unstorable|Unreadable)\("(\w+)"', path.read_text(encoding="utf-8")))
    assert raised and raised <= set(reason_tables.get("rejection"))
