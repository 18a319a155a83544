"""Home, navigation, log in, the access log and the staff site: who may go where, and what they find."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cdp.common.access import record_access
from cdp.common.models import AccessLog, ApiToken
from cdp.common.roles import ROLES
from profiles.models import InboxEntry, SourceCounter
from tests.profiles.factories import make_merge, make_profile, make_source

pytestmark = pytest.mark.django_db
ClientAs = Callable[[str], Client]


@pytest.fixture(autouse=True)
def fresh_figures() -> None:
    """Forget figures that another test left."""
    cache.clear()


def read(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_a_new_house_shows_the_first_steps(client_as: ClientAs) -> None:
    page = read(client_as("Administrator"), "/")
    assert "First steps" in page
    assert "Connect a source" in page
    make_profile(name="Anna")
    assert "First steps" not in read(client_as("Administrator"), "/")


@pytest.mark.parametrize("role", ROLES)
def test_home_opens_for_every_role(client_as: ClientAs, role: str) -> None:
    make_profile(name="Anna")
    assert client_as(role).get("/").status_code == 200


def test_figures_count_what_is_there(client_as: ClientAs) -> None:
    make_profile(name="Anna")
    make_profile(name="Old", last_seen_at=timezone.now() - timedelta(days=40))
    make_profile(name="Gone", erased_at=timezone.now())
    now = timezone.now()
    SourceCounter.objects.create(source=make_source(), hour=now, received=1234, stored=1234)
    page = re.sub(r"\s+", " ", read(client_as("Administrator"), "/"))
    assert re.search(r'People</div> <div class="figure-value">2<', page)
    assert re.search(r'Active, 30 days</div> <div class="figure-value">1<', page)
    assert "1,234" in page


def test_home_says_when_events_wait(client_as: ClientAs) -> None:
    make_profile(name="Anna")
    assert "keeping up" in read(client_as("Marketer"), "/")
    InboxEntry.objects.create(raw_id=1, received_at=timezone.now() - timedelta(minutes=5), source_id=1)
    assert "Events are waiting" in read(client_as("Marketer"), "/")


def test_what_needs_a_person_is_shown_to_those_who_can_act(client_as: ClientAs) -> None:
    make_merge(make_profile(name="A"), make_profile(name="B"), state="quarantined")
    assert "Merges of two people to review" in read(client_as("Marketer"), "/")
    assert "Merges of two people to review" not in read(client_as("Analyst"), "/")


def test_more_people_take_no_more_queries_at_home(client_as: ClientAs) -> None:
    client = client_as("Administrator")
    make_profile(name="One")
    client.get("/")
    cache.clear()
    with CaptureQueriesContext(connection) as few:
        client.get("/")
    for index in range(30):
        make_profile(name=f"P{index}")
    cache.clear()
    with CaptureQueriesContext(connection) as many:
        client.get("/")
    assert len(many) == len(few)


def test_the_navigation_shows_only_where_a_role_may_go(client_as: ClientAs) -> None:
    def links(role: str) -> set[str]:
        page = read(client_as(role), "/")
        return set(re.findall(r'href="([^"]+)"', page[page.index('id="nav-groups"') : page.index("</nav>")]))

    assert "/privacy/access/" in links("Privacy officer")
    assert "/privacy/access/" not in links("Marketer")
    assert "/sources/" in links("Marketer")
    assert "/sources/" not in links("Analyst")
    assert "/admin/auth/user/" in links("Administrator")
    assert "/admin/auth/user/" not in links("Privacy officer")


@pytest.mark.parametrize("role", ROLES)
def test_every_link_of_the_navigation_opens(client_as: ClientAs, role: str) -> None:
    client = client_as(role)
    page = read(client, "/")
    for address in re.findall(r'<li><a href="([^"]+)"', page[page.index('id="nav-groups"') : page.index("</nav>")]):
        assert client.get(address).status_code == 200, address


def test_the_current_page_is_marked(client_as: ClientAs) -> None:
    page = read(client_as("Marketer"), "/people/")
    assert re.findall(r'href="([^"]+)" aria-current="page"', page) == ["/people/"]


def test_pages_hold_no_inline_style_or_script(client_as: ClientAs) -> None:
    make_profile(name="Anna")
    client = client_as("Administrator")
    for address in ("/", "/people/", "/privacy/access/", "/search/?q=an", "/admin/", "/admin/auth/user/", "/login/"):
        page = read(client, address)
        assert not re.search(r"\sstyle=|\son\w+=|<style", page), address
        for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
            assert "src=" in attributes or "application/json" in attributes, (address, body)


# Accounts ----------------------------------------------------------------------------------------------------------
def test_logging_in_leads_back_to_the_page_asked_for(client: Client, user_as: Callable[[str], User]) -> None:
    user_as("Marketer")
    response = client.post(
        "/login/?next=/people/", {"username": "marketer", "password": "correct horse battery", "next": "/people/"}
    )
    assert response["Location"] == "/people/"


def test_a_wrong_password_is_told_without_saying_which_was_wrong(
    client: Client, user_as: Callable[[str], User]
) -> None:
    user_as("Marketer")
    wrong = client.post("/login/", {"username": "marketer", "password": "x"}).content.decode()
    unknown = client.post("/login/", {"username": "nobody", "password": "x"}).content.decode()
    message = re.compile(r'role="alert">(.*?)</div>', re.DOTALL)
    first, second = message.search(wrong), message.search(unknown)
    assert first and second
    assert first[1] == second[1]


def test_logging_in_never_leads_elsewhere(client: Client, user_as: Callable[[str], User]) -> None:
    user_as("Marketer")
    response = client.post(
        "/login/", {"username": "marketer", "password": "correct horse battery", "next": "https://evil.example/"}
    )
    assert response["Location"] == "/"


def test_a_lapsed_session_makes_the_whole_page_log_in(client: Client) -> None:
    response = client.get("/login/?next=/people/", headers={"HX-Request": "true"})
    assert response["HX-Refresh"] == "true"


def test_the_staff_site_has_one_door(client: Client, user_as: Callable[[str], User]) -> None:
    response = client.get("/admin/login/?next=/admin/")
    assert response["Location"] == "/login/?next=/admin/"
    outsider = user_as("Marketer")
    outsider.is_staff = False
    outsider.save()
    client.force_login(outsider, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/login/?next=/admin/").status_code == 403


def test_times_are_drawn_in_the_readers_zone(client_as: ClientAs) -> None:
    client = client_as("Privacy officer")
    row = AccessLog.objects.create(action="x.y", at=timezone.now().replace(hour=12, minute=34))
    client.cookies["zone"] = "America%2FNew_York"
    assert row.at.astimezone(tz=ZoneInfo("America/New_York")).strftime("%H:34") in read(client, "/privacy/access/")
    client.cookies["zone"] = "../../etc/passwd"
    assert client.get("/privacy/access/").status_code == 200


def test_the_language_switch_keeps_the_page(client_as: ClientAs) -> None:
    client = client_as("Marketer")
    response = client.post("/language/", {"language": "nl", "next": "/people/?q=a"})
    assert response["Location"] == "/people/?q=a"
    assert 'lang="nl"' in read(client, "/people/")


# Access log and tokens -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "status"), [("Privacy officer", 200), ("Administrator", 200), ("Marketer", 403), ("Analyst", 403)]
)
def test_the_access_log_is_for_privacy_and_administration(client_as: ClientAs, role: str, status: int) -> None:
    assert client_as(role).get("/privacy/access/").status_code == status


def test_the_access_log_leads_to_the_person(client_as: ClientAs, user_as: Callable[[str], User]) -> None:
    person = make_profile(name="Anna")
    record_access(actor=user_as("Analyst"), action="profile.viewed", object_kind="profile", object_id=str(person.uuid))
    page = read(client_as("Privacy officer"), "/privacy/access/")
    assert f"/people/{person.uuid}/" in page
    assert "looked at a person" in page
    assert "analyst" in read(client_as("Privacy officer"), f"/privacy/access/?q={person.uuid}")
    assert "None match" in read(client_as("Privacy officer"), "/privacy/access/?q=somebody")


def test_a_token_is_shown_once_and_works_until_revoked(client_as: ClientAs, user_as: Callable[[str], User]) -> None:
    client, owner = client_as("Administrator"), user_as("Administrator")
    wanted = {"user": owner.pk, "name": "Shop", "scopes": ["people:read"], "expires_on": "", "networks": ""}
    made = client.post("/admin/common/apitoken/add/", wanted)
    secret = re.search(r"kbt_[\w-]+", made.content.decode())
    assert secret
    token = ApiToken.objects.get(name="Shop")
    assert token.digest == ApiToken.digest_of(secret[0])
    assert secret[0] not in read(client, "/admin/common/apitoken/")
    assert secret[0] not in read(client, f"/admin/common/apitoken/{token.pk}/change/")
    client.post("/admin/common/apitoken/", {"action": "revoke", "_selected_action": token.pk})
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert set(AccessLog.objects.values_list("action", flat=True)) >= {"token.issued", "token.revoked"}


def test_tokens_and_the_log_are_never_deleted_or_edited_in_the_staff_site(client_as: ClientAs) -> None:
    client = client_as("Administrator")
    row = AccessLog.objects.create(action="profile.viewed")
    assert client.get("/admin/common/accesslog/add/").status_code == 403
    assert client.post(f"/admin/common/accesslog/{row.pk}/change/", {"action": "x"}).status_code == 403
    assert client.post(f"/admin/common/accesslog/{row.pk}/delete/", {"post": "yes"}).status_code == 403


# Search --------------------------------------------------------------------------------------------------------------
def test_search_asks_for_two_letters_and_says_when_nothing_is_found(client_as: ClientAs) -> None:
    assert "at least two letters" in read(client_as("Marketer"), "/search/?q=a")
    assert "Nothing found" in read(client_as("Marketer"), "/search/?q=zzzzzz")


@pytest.mark.parametrize("text", ["%", "\x00\x00", "<script>alert(1)</script>", "'; drop table", "a" * 9999])
def test_odd_searches_are_only_text(client_as: ClientAs, text: str) -> None:
    response = client_as("Marketer").get("/search/", {"q": text})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
