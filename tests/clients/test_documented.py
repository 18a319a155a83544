"""The examples of docs/api.md are run as they stand, in each language from the first to the last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from campaigns.services.single import allow_single_sends
from cdp.common.models import ApiToken
from cdp.common.roles import ADMINISTRATOR
from tests.campaigns.factories import message
from tests.consent.factories import purpose
from tests.live import Site
from tests.scenarios.installation import user_of

PAGE = Path(settings.BASE_DIR) / "docs" / "api.md"
#: language -> the program that runs a file of it, and how the file is called
RUNNERS = {
    "sh": (["bash", "-euo", "pipefail"], "examples.sh", "curl"),
    "python": ([sys.executable, "-W", "error"], "examples.py", sys.executable),
    "js": (["node"], "examples.mjs", "node"),
}


def examples(language: str) -> str:
    """Return all examples of a language as one program."""
    page = PAGE.read_text(encoding="utf-8")
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", RUNNERS)
def test_the_examples_work(language: str, site: Site, tmp_path: Path) -> None:
    command, name, needed = RUNNERS[language]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not on this machine")
    program = tmp_path / name
    program.write_text(examples(language), encoding="utf-8")
    _row, token = ApiToken.issue(user=user_of(ADMINISTRATOR), name="examples")
    receipt = allow_single_sends(message_id=message("Receipt").pk, user=None)
    why = purpose("orders", basis="contract", is_marketing=False)
    variables = {"KLANTBEELD": site.url, "TOKEN": token, "MESSAGE": str(receipt.uuid), "PURPOSE": why.slug}
    variables = {**os.environ, **variables, "NO_PROXY": "localhost"}
    done = subprocess.run(
        [*command, str(program)], env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def test_each_topic_is_shown_in_each_language() -> None:
    topics = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[2:]
    lacking = [
        (topic.partition("\n")[0], language)
        for topic in topics
        for language in RUNNERS
        if f"```{language}\n" not in topic
    ]
    assert not lacking
