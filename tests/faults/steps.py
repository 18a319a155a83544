"""What a test does inside an installation with our own code, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.faults.installation import PATIENCE, Installation
from tests.faults.processes import REPOSITORY


def run_step(product: Installation, name: str, *arguments: object) -> str:
    """Run a function of this module in the installation; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.steps", name, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**product.environment(), "DJANGO_SETTINGS_MODULE": "cdp.settings"},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def campaign(people: str, name: str) -> None:
    """Make a campaign to everybody, of whom so many allow it, due now; print its number."""
    from campaigns.checks import forecast_of, needs_confirmation
    from campaigns.services.campaigns import Plan, create_campaign, schedule_campaign
    from tests.campaigns.factories import message, readers
    from tests.consent.factories import purpose
    from tests.segments.factories import segment

    news = purpose(slug=name)
    readers(int(people), news, prefix=name)
    plan = Plan(
        name=name,
        purpose_id=news.pk,
        segment_id=segment(name, {"type": "everyone"}).pk,
        message_id=message(name).pk,
    )
    row = create_campaign(plan=plan, actor=None)
    schedule_campaign(campaign_id=row.pk, actor=None, confirm=needs_confirmation(forecast_of(row)) or None)
    sys.stdout.write(str(row.pk))


if __name__ == "__main__":
    import django

    django.setup()
    globals()[sys.argv[1]](*sys.argv[2:])
