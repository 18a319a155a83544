"""What may be done to an account, as a decision over plain values."""

from __future__ import annotations

from dataclasses import dataclass

from cdp.common.roles import ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account is: its roles, whether it may log in, and whether the operator made it a superuser."""

    roles: frozenset[str] = frozenset()
    active: bool = True
    superuser: bool = False
    program: bool = False  # no password: for API tokens

    @property
    def administers(self) -> bool:
        """Tell whether this account can log in and give roles."""
        return self.active and not self.program and (self.superuser or ADMINISTRATOR in self.roles)


def refusal(
    *, before: Standing | None, after: Standing, own: bool, by_superuser: bool, other_administrators: int
) -> str:
    """Return why this change of an account is refused; empty when it may be made. `before` is None for a new one."""
    if after.superuser and (before is None or not before.superuser):
        return "superuser_made"
    if before is None:
        return ""
    if before.superuser and not by_superuser:
        return "superuser_touched"
    if own and before.administers and not after.administers:
        return "own_role"
    if before.administers and not after.administers and other_administrators == 0:
        return "last_administrator"
    return ""
