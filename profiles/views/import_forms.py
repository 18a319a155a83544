"""What the mapping table of the wizard posts, and how its choices are written in a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from babel import Locale
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from profiles.identity.phones import REGIONS
from profiles.identity.trait_names import plain_word
from profiles.importing.checking import DATE_WAYS, NUMBER_WAYS

#: one select offers type and its way of writing together: value -> (label, type, day_first, decimal_comma)
TYPE_CHOICES: dict[str, tuple[Any, str, bool, bool]] = {
    "text": (_("text"), "text", True, True),
    "number_comma": (_("number, 1.234,56"), "number", True, True),
    "number_point": (_("number, 1,234.56"), "number", True, False),
    "date_day": (_("date, day first (31-12-2026)"), "date", True, True),
    "date_month": (_("date, month first (12/31/2026)"), "date", False, True),
    "yesno": (_("yes or no"), "yesno", True, True),
    "list": (_("list, cut at ; | or ,"), "list", True, True),
    "ask_number": (_("comma or point? choose"), "ask_number", True, True),
    "ask_date": (_("day or month first? choose"), "ask_date", True, True),
}
RULE_CHOICES = (
    ("overwrite", _("overwrite")),
    ("fill", _("only fill empty")),
    ("create", _("new people only")),
)
TRAIT = "trait"  # the select's word for "a trait, named beside"


def type_choice(column: Mapping[str, Any]) -> str:
    """Return the value of the select for a column of a mapping."""
    if column.get("type") == "number":
        return "number_comma" if column.get("decimal_comma", True) else "number_point"
    if column.get("type") == "date":
        return "date_day" if column.get("day_first", True) else "date_month"
    return str(column.get("type") or "text")


def read_mapping(post: Mapping[str, Any], header: Sequence[str]) -> dict[str, Any]:
    """Return the mapping as the service takes it; what is wrong in it is said there."""
    columns = []
    for index in range(len(header)):
        target = str(post.get(f"target_{index}", ""))
        if target == TRAIT:
            target = f"trait:{str(post.get(f'trait_{index}', '')).strip()}"
        chosen = TYPE_CHOICES.get(str(post.get(f"type_{index}", "text")), TYPE_CHOICES["text"])
        columns.append(
            {
                "index": index,
                "target": target,
                "type": chosen[1],
                "day_first": chosen[2],
                "decimal_comma": chosen[3],
                "rule": str(post.get(f"rule_{index}", "overwrite")),
            }
        )
    return {"match": str(post.get("match", "")), "country": str(post.get("country", "")), "columns": columns}


def question(column: Mapping[str, Any], samples: Sequence[str]) -> str:
    """Return what a person is asked about a column whose cells can be read in two ways; empty for any other."""
    ways = {"ask_number": NUMBER_WAYS, "ask_date": DATE_WAYS}.get(str(column.get("type")))
    if ways is None:
        return ""
    for sample in samples:
        (first, no), (second, nor) = ways[0](sample), ways[1](sample)
        if not no and not nor and first != second:
            return gettext("Is %(cell)s %(first)s or %(second)s?") % {"cell": sample, "first": first, "second": second}
    return gettext("Some cells are written one way, some the other; those that do not fit are left out.")


def countries() -> list[tuple[str, str]]:
    """Return the countries whose telephone numbers are known, by name in the reader's language."""
    names = Locale.parse(get_language() or "en", sep="-").territories
    return sorted(((code, names.get(code, code)) for code in REGIONS), key=lambda entry: plain_word(entry[1]))


def read_proof(post: Mapping[str, Any]) -> dict[str, str]:
    """Return the stated proof as the service takes it."""
    return {name: str(post.get(f"proof_{name}", "")) for name in ("source", "obtained_on", "wording")}
