"""Without its database the site stays up, says so everywhere, and asks nobody to restart it (C15, F21)."""

from __future__ import annotations

import httpx
import pytest

from consent.links import make_token
from tests.live import free_port, live_site

pytestmark = pytest.mark.django_db


def test_every_answer_without_a_database_is_a_503_that_says_when_to_come_again() -> None:
    token = make_token(profile_id=1, purpose_id=1, channel="email", reference="delivery:1:1")
    nowhere = f"postgres://nobody@127.0.0.1:{free_port()}/nothing"
    with (
        live_site(DATABASE_URL=nowhere) as site,
        httpx.Client(base_url=site.url, timeout=30, trust_env=False) as client,
    ):
        one_click = client.post(f"/u/{token}/", data={"List-Unsubscribe": "One-Click"})
        answers = {
            "one click": one_click,
            "unsubscribe": client.get(f"/u/{token}/"),
            "preferences": client.get(f"/preferences/{token}/"),
            "session": client.get("/", headers={"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}),
            "api": client.get("/api/v1/profiles/", headers={"Authorization": "Bearer kb_api_nothing"}),
            "collector": client.post("/v1/track", json={"userId": "u", "event": "E"}, auth=("kb_sec_x", "")),
            "health": client.get("/healthz"),
        }
        alive = client.get("/livez")
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert alive.status_code == 200 and alive.json() == {"status": "ok"}
    for name in ("one click", "unsubscribe", "preferences", "session", "api", "collector"):
        assert int(answers[name].headers["retry-after"]) > 0, name
    assert "nothing of this was saved" in one_click.text and "<html" in one_click.text
    assert answers["api"].json()["code"].startswith("database_")
    assert "Traceback" not in one_click.text
