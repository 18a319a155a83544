"""Which column goes where: the marketer's choices, checked before anything is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cdp.common.errors import CdpError
from profiles.identity.phones import REGIONS, home_region
from profiles.identity.trait_names import canonical_name
from profiles.importing.checking import TYPES, guess_type
from profiles.importing.headers import guess_target

#: what happens to a value that a person has already
RULES = ("overwrite", "fill", "create")
IGNORE = ""
#: types of columns whose cells can all be read in two ways: a person says which
UNCLEAR = {
    "ask_number": gettext_lazy("%(column)s: say whether a comma or a point comes before the decimals."),
    "ask_date": gettext_lazy("%(column)s: say whether the day or the month comes first."),
}
_TRAIT_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class ColumnPlan:
    """What is done with one column.

    target: "" leaves the column out; `id:<kind>`, `trait:<key>` or the name of a registered target.
    rule: `overwrite` what the person has, only `fill` what is empty, or write for people the import creates (`create`).
    """

    index: int
    header: str
    target: str = IGNORE
    type: str = "text"
    rule: str = "overwrite"
    day_first: bool = True
    decimal_comma: bool = True

    @property
    def kind(self) -> str:
        """Return the kind of identifier that the column holds, or ""."""
        return self.target[3:] if self.target.startswith("id:") else ""

    @property
    def trait(self) -> str:
        """Return the trait that the column holds, or ""."""
        return self.target[6:] if self.target.startswith("trait:") else ""

    @property
    def registered(self) -> str:
        """Return the name of the registered target that the column goes to, or ""."""
        return "" if self.kind or self.trait else self.target


@dataclass(frozen=True, kw_only=True)
class FileMapping:
    """The whole choice: the columns, and the kind of identifier by which a row finds its person."""

    columns: tuple[ColumnPlan, ...]
    match: str
    country: str  # of telephone numbers that are written without one

    def as_json(self) -> dict[str, Any]:
        """Return what the job stores."""
        columns = [asdict(column) for column in self.columns]
        return {"match": self.match, "country": self.country, "columns": columns}


def _refuse(code: str, message: str, place: str = "", **detail: Any) -> CdpError:
    return CdpError(f"import.{code}", message, place=place, detail=detail)


def parse_mapping(raw: Any, *, header: Sequence[str], kinds: Collection[str], targets: Collection[str]) -> FileMapping:
    """Return the checked mapping; raise CdpError naming the column that is wrong.

    Columns that `raw` does not mention are left out. A column is named by `index`, or by its `header`.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("columns"), list):
        raise _refuse("mapping_invalid", _("The mapping must be an object with `match` and a list `columns`."))
    columns = [_parse_column(entry, position, header, kinds, targets) for position, entry in enumerate(raw["columns"])]
    used = [column for column in columns if column.target != IGNORE]
    names = [column.header for column in columns]
    for values in (names, [column.target for column in used]):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise _refuse(
                "mapping_twice", _("%(name)s is mapped twice. Choose one column for it.") % {"name": twice}, twice
            )
    match = str(raw.get("match") or "")
    if match not in {column.kind for column in used} - {""}:
        raise _refuse(
            "match_missing",
            _("Choose the column that says who a row is about: a mail address, a user id or another identifier."),
            "match",
        )
    country = str(raw.get("country") or home_region())
    if country not in REGIONS:
        raise _refuse("country_unknown", _("There is no such country. Write it as two letters, such as NL."), "country")
    return FileMapping(columns=tuple(sorted(used, key=lambda column: column.index)), match=match, country=country)


def _parse_column(
    entry: Any, position: int, header: Sequence[str], kinds: Collection[str], targets: Collection[str]
) -> ColumnPlan:
    place = f"columns[{position}]"
    if not isinstance(entry, Mapping):
        raise _refuse("mapping_invalid", _("Each column must be an object."), place)
    index = entry.get("index")
    if index is None and entry.get("header") in header:
        index = list(header).index(entry["header"])
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(header):
        raise _refuse("column_unknown", _("The file has no such column."), place)
    target, type_name, rule = entry.get("target", IGNORE), entry.get("type", "text"), entry.get("rule", "overwrite")
    plan = ColumnPlan(
        index=index,
        header=header[index],
        target=_one_name(target) if isinstance(target, str) else "?",
        type=type_name if isinstance(type_name, str) else "?",
        rule=rule if isinstance(rule, str) else "?",
        day_first=entry.get("day_first") is not False,
        decimal_comma=entry.get("decimal_comma") is not False,
    )
    named = {"column": plan.header}
    if plan.kind and plan.kind not in kinds:
        raise _refuse("kind_unknown", _("%(column)s: there is no such kind of identifier.") % named, place, **named)
    if plan.target.startswith("trait:") and not _TRAIT_KEY.fullmatch(plan.trait):
        raise _refuse(
            "trait_name_invalid",
            _("%(column)s: a trait's name begins with a letter and has letters, digits, _ . and - only.") % named,
            place,
        )
    if plan.registered and plan.registered not in targets:
        raise _refuse("target_unknown", _("%(column)s: there is no such target.") % named, place, **named)
    if plan.target and plan.type in UNCLEAR:
        raise _refuse("type_unclear", UNCLEAR[plan.type] % named, place, **named)
    if plan.target and plan.type not in TYPES:
        raise _refuse("type_unknown", _("%(column)s: there is no such type.") % named, place)
    if plan.rule not in RULES:
        raise _refuse("rule_unknown", _("%(column)s: there is no such overwrite rule.") % named, place)
    return plan


def _one_name(target: str) -> str:
    prefix, trait, name = target.partition("trait:")
    return f"trait:{canonical_name(name)}" if trait and not prefix else target


def guess_mapping(
    names: Sequence[str],
    samples: Sequence[Sequence[str]],
    *,
    kinds: Sequence[str],
    extra: dict[str, Sequence[str]] | None = None,
    remembered: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a mapping to start from: the one used last for these columns, or else a guess for each column.

    `kinds` are in order of preference as the matching key.
    """
    before = {entry["index"]: entry for entry in (remembered or {}).get("columns", ())}
    columns: list[dict[str, Any]] = []
    taken: set[str] = set()
    guesses = {guess_target(name, extra) for name in names}
    for index, name in enumerate(names):
        if before:
            entry = before.get(index) or {"target": IGNORE, "type": "text", "rule": "overwrite"}
            columns.append({**entry, "index": index, "header": name})
            continue
        cells = [row[index] for row in samples if index < len(row)]
        target = guess_target(name, extra)
        if target == "trait:name" and {"trait:first_name", "trait:last_name"} & guesses == {"trait:first_name"}:
            target = "trait:last_name"  # `Voornaam; Tussenvoegsel; Naam`
        if target in taken or (target.startswith("id:") and target[3:] not in kinds):
            target = IGNORE
        guess = guess_type(cells)
        taken.add(target)
        columns.append(
            asdict(
                ColumnPlan(
                    index=index,
                    header=name,
                    target=target,
                    type=f"ask_{guess.type}" if guess.unclear and target.startswith("trait:") else guess.type,
                    day_first=guess.day_first,
                    decimal_comma=guess.decimal_comma,
                )
            )
        )
    match = str((remembered or {}).get("match") or "") or _fullest_kind(columns, samples, kinds)
    return {"match": match, "country": (remembered or {}).get("country") or home_region(), "columns": columns}


def _fullest_kind(columns: Sequence[Mapping[str, Any]], samples: Sequence[Sequence[str]], kinds: Sequence[str]) -> str:
    """Return the identifier that most rows have; of equals the strongest. Rows without it could not be matched."""
    filled = {
        entry["target"][3:]: sum(1 for row in samples if row[entry["index"]].strip())
        for entry in columns
        if entry["target"].startswith("id:")
    }
    return max((kind for kind in kinds if kind in filled), key=lambda kind: filled[kind], default="")
