"""What is wrong with a rule, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segments.rules.texts import Translate


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault: `path` names the node (`include.0.1`), `text` is English with %(names)s for `values`."""

    path: str
    code: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def message(self, translate: Translate = str) -> str:
        """Return the sentence in the reader's language."""
        return translate(self.text) % self.values if self.values else translate(self.text)


class RuleError(Exception):
    """A rule that may not be used, with every fault that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message()}" for problem in problems))
        self.problems = tuple(problems)
