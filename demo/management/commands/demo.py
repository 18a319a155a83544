"""`manage.py demo`: fill an empty installation with a believable web shop, through its own collection API."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Sum
from django.utils import timezone

from cdp.common.errors import CdpError
from cdp.common.roles import ADMINISTRATOR
from cdp.embedded.secret_files import write_private
from demo import content
from demo.behaviour import BACKEND, WEB
from demo.push import PushFailed, push
from demo.world import PEOPLE, SEED, make_world
from profiles.models import InboxEntry, Source, SourceCounter
from profiles.processing.drain import drain_inbox

#: a queue that stands still for so long has no worker
IDLE_SECONDS = 8
#: names of the keys in credentials.json
KEY_NAMES = {WEB: "browser", BACKEND: "server"}


class Command(BaseCommand):
    """Load the demo data. A second run adds nothing."""

    help = "Load demo data through the collection API of a running web process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address and the size of the world."""
        parser.add_argument(
            "--host",
            default="",
            help="where the web process answers (default: SITE_URL)",
        )
        parser.add_argument(
            "--people",
            type=int,
            default=PEOPLE,
            help=f"how many people (default: {PEOPLE})",
        )
        parser.add_argument("--keys-only", action="store_true", help="only make the sources and keep their keys")
        parser.add_argument("--seed", type=int, default=SEED, help="another seed makes another world")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make sources and purposes, send the world, make segments and a campaign."""
        if options["keys_only"]:
            self._keys()
            return
        actor = User.objects.filter(groups__name=ADMINISTRATOR).order_by("pk").first()
        keys = self._keys()
        content.ensure_purposes(actor)
        self._send(
            options["host"] or settings.SITE_URL,
            keys,
            options["people"],
            options["seed"],
        )
        self._wait_until_processed()
        try:
            content.ensure_classes(actor)
            content.ensure_segments(actor)
            content.ensure_campaign(actor)
        except CdpError as error:
            raise CommandError(f"{error.message} ({error.code} {error.place})") from error
        self.stdout.write("Demo data: done.")

    def _keys(self) -> dict[str, str]:
        """Return the write keys of the demo's sources; keep them in credentials.json where `run` made one."""
        path = Path(settings.VAR_DIR) / "credentials.json"
        try:
            credentials = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            credentials = {}
        kept = credentials.get("write_keys") or {}
        keys = content.ensure_sources({role: kept[name] for role, name in KEY_NAMES.items() if kept.get(name)})
        new = {name: keys[role] for role, name in KEY_NAMES.items()}
        if credentials and new != kept:
            write_private(path, json.dumps({**credentials, "write_keys": new}, indent=2) + "\n")
        return keys

    def _send(self, host: str, keys: dict[str, str], people: int, seed: int) -> None:
        started = time.monotonic()
        calls = make_world(now=timezone.now(), people=people, seed=seed)
        slugs = [slug for slug, _kind, _name in content.SOURCES.values()]
        received = SourceCounter.objects.filter(source__slug__in=slugs).aggregate(sum=Sum("received"))["sum"] or 0
        if received >= len(calls):
            self.stdout.write(f"Demo data: {received:,} events are there already.")
            return
        self.stdout.write(f"Demo data: sending {len(calls):,} events of {people:,} people to {host}")

        def show(sent: int, total: int) -> None:
            self.stdout.write(f"Demo data: {sent:,} of {total:,} events sent")
            self.stdout.flush()

        try:
            push(calls, host=host, keys=keys, progress=show)
        except PushFailed as error:
            raise CommandError(f"The collector did not take the demo data: {error}. Is the web process up?") from error
        self.stdout.write(f"Demo data: sent in {time.monotonic() - started:.0f} s")

    def _wait_until_processed(self) -> None:
        """Wait for the worker, for segments are checked against what people have; without a worker do its work."""
        waiting, since = self._waiting(), time.monotonic()
        while waiting:
            self.stdout.write(f"Demo data: {waiting:,} requests are being processed")
            self.stdout.flush()
            time.sleep(2)
            left = self._waiting()
            if left < waiting:
                since = time.monotonic()
            elif time.monotonic() - since > IDLE_SECONDS:
                drain_inbox()
                left = self._waiting()
                if left >= waiting:
                    raise CommandError("The inbox does not get shorter; see the log of the worker.")
            waiting = left

    @staticmethod
    def _waiting() -> int:
        slugs = [slug for slug, _kind, _name in content.SOURCES.values()]
        sources = Source.objects.filter(slug__in=slugs).values("pk")
        return InboxEntry.objects.filter(source_id__in=sources).count()
