"""What the project itself holds of a person: answers of the API, kept for a day to be given again."""

from __future__ import annotations

from typing import Any

from cdp.common.api_idempotency import forget_answers
from cdp.common.registry import PersonalDataHolder, personal_data


def collect(profile_id: int) -> dict[str, Any]:
    """Return nothing: what the answers tell is what the apps hold."""
    return {}


def erase(profile_id: int) -> dict[str, int]:
    """Empty all kept answers: any of them may tell of the person, by whatever value."""
    return {"api_answers": forget_answers()}


def register() -> None:
    """Say so to the registry."""
    personal_data.add("cdp.api_answers", PersonalDataHolder(collect=collect, erase=erase))
