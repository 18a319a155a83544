"""What is wrong with a rule, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segments.rules.texts import Translate
from segments.rules.texts import gettext_noop as _


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault: `path` names the node (`include.0.1`), `text` is English with %(names)s for `values`.

    `proposals` are known names that an unknown one may have meant.
    """

    path: str
    code: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    proposals: tuple[str, ...] = ()

    def message(self, translate: Translate = str) -> str:
        """Return the sentence in the reader's language."""
        message = translate(self.text) % self.values if self.values else translate(self.text)
        if not self.proposals:
            return message
        return f"{message} " + translate(_("Did you mean %(names)s?")) % {"names": ", ".join(self.proposals)}


class RuleError(Exception):
    """A rule that may not be used, with every fault that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message()}" for problem in problems))
        self.problems = tuple(problems)
