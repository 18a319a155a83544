"""C22: every export of people carries what each allows, or holds only those who allow what it is for."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from django.test import Client

from cdp.common import lists
from cdp.common.models import AccessLog
from tests.campaigns.factories import segment
from tests.consent.factories import person, purpose, say

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]


def read(client: Client, url: str) -> list[dict[str, str]]:
    """Return the rows of an exported file."""
    body = b"".join(client.get(url).streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # a stream
    return list(csv.DictReader(io.StringIO(body)))


@pytest.mark.parametrize("place", ["people", "segment"])
def test_every_export_of_people_carries_their_permission(
    place: str, client_as: AsRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column per purpose and channel; or only those who allow one; in blocks, and noted in the log."""
    monkeypatch.setattr(lists, "EXPORT_BLOCK", 2)
    newsletter = purpose()
    purpose("offers", channels=["email", "sms"])
    yes, no, silent = person(), person(), person()
    say(yes, newsletter, "given")
    say(no, newsletter, "withdrawn")
    rule = segment(yes, no, silent)
    url = "/people/" if place == "people" else f"/segments/{rule.slug}/members/"
    client = client_as("Marketer")
    rows = {row["ID"]: row for row in read(client, f"{url}?export=csv")}
    column = "May get Newsletter by E-mail"
    found = [rows[str(row.uuid)][column] for row in (yes, no, silent)]
    assert found == ["yes", "no: withdrew the permission", "no: never gave permission"]
    assert "May get Offers by Text message" in rows[str(yes.uuid)]
    assert [row["ID"] for row in read(client, f"{url}?export=csv&only=newsletter:email")] == [str(yes.uuid)]
    assert AccessLog.objects.filter(detail__only="newsletter:email").count() == 1
    assert "Only: May get Newsletter by E-mail" in client.get(url).text
    assert client.get(f"{url}?export=csv&only=ghost:email").status_code == 400
