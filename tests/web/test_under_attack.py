"""Hundreds of slow or greedy connections, and everybody else is served (S3, S4).

How long it takes is a figure of `make bench ARGS=attacks`; here each answer must come before its asker gives up.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from bench.attacks import attacked, attacks, memory, probes, watch
from consent.links import make_token
from profiles.services.sources import create_source
from tests.live import Site

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 4.0
#: a web process may grow by this (bytes) while hundreds pull at it
ROOM = 300 * 2**20


def test_everybody_is_served_while_hundreds_attack(site: Site, client_as: Callable[[str], Client]) -> None:
    client = client_as("Administrator")
    User.objects.update(is_superuser=True)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    _source, public = create_source(name="Shop", kind="browser")
    _source, secret = create_source(name="Till", kind="server")
    token = make_token(profile_id=1, purpose_id=1, channel="email", reference="delivery:1:1")
    port = urlsplit(site.url).port or 0
    (web,) = [one for one in psutil.Process().children() if str(port) in one.cmdline()]
    failed = {}
    for title, (name, connections, path, header) in attacks(cookie, public):
        found = probes(port, cookie=cookie, token=token, key=secret)
        for probe in found:
            probe.ask()
        assert not sum(probe.failed for probe in found), title
        with attacked(name, port, connections, path, *filter(None, [header])):
            before, most = watch(found, web.pid, SECONDS)
        failed[title] = [f"{probe.name} {probe.worst}" for probe in found if probe.failed]
        assert most - before < ROOM, f"{title}: grew by {(most - before) // 2**20} MB"
    assert not any(failed.values()), failed
    assert memory(web.pid) < 2 * 2**30
