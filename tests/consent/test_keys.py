"""Another key lifts no suppression: it is refused at the start and at each look-up, and rotated without a gap (S9)."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from cdp.common.faults import Fault, fault_of
from cdp.start_checks import troubles_at_start
from consent import gate
from consent.keys import KeysDoNotFit, fitting_ring, rotate_keys
from consent.models import Suppression, SuppressionReason
from consent.services import erase_person, find_suppressions, lift_suppression, suppress_address
from consent.services.suppressing import erased_identifiers
from profiles.identity.digests import key_id
from profiles.keyring import key_ring
from profiles.tombstones import find_erased
from tests.consent.factories import person, purpose, say
from tests.live import REPOSITORY, free_port, process_environment

A, B, C = ("key-" + letter * 40 for letter in "abc")


def use(settings: LazySettings, *keys: str) -> None:
    """Set the key of now and those that it replaced."""
    settings.SUPPRESSION_KEY, settings.SUPPRESSION_KEY_FALLBACKS = keys[0], list(keys[1:])


def suppress(*addresses: str) -> None:
    for address in addresses:
        suppress_address(kind="email", value=address, reason="complaint", actor="test")


def is_found(*addresses: str) -> bool:
    return all(find_suppressions(kind="email", value=address).exists() for address in addresses)


@pytest.mark.django_db
def test_a_key_that_does_not_fit_finds_nobody_and_says_so(settings: LazySettings) -> None:
    use(settings, A)
    anna = person("anna@shop.nl")
    newsletter = purpose()
    say(anna, newsletter, "given")
    suppress("anna@shop.nl")
    assert gate.check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="email")[anna.pk].reason == "suppressed"
    use(settings, B)
    asked: list[Any] = [
        lambda: gate.check(profile_ids=[anna.pk], purpose_id=newsletter.pk, channel="email"),
        lambda: gate.answers_for(anna.pk),
        lambda: find_erased([("email", "anna@shop.nl")]),
        lambda: find_suppressions(kind="email", value="anna@shop.nl"),
        lambda: suppress("bert@shop.nl"),
        lambda: erase_person(profile_id=anna.pk, actor="test", reason="request"),
    ]
    for ask in asked:
        with pytest.raises(KeysDoNotFit) as refused:
            ask()
        assert key_id(A) in refused.value.message and "\n" not in refused.value.message
        assert fault_of(refused.value) is Fault.SERVER, "no event or mail is blamed: the queues wait"
    assert [key_id(A) in line for line in troubles_at_start()] == [True]
    use(settings, B, A)
    assert troubles_at_start() == []
    assert is_found("anna@shop.nl")


@pytest.mark.django_db
def test_before_anything_is_on_the_list_any_key_will_do(settings: LazySettings) -> None:
    use(settings, C)
    assert troubles_at_start() == []
    assert fitting_ring() is key_ring()


@pytest.mark.django_db
def test_everybody_is_found_at_every_step_of_a_rotation(settings: LazySettings) -> None:
    use(settings, A)
    suppress(*(f"a{number}@shop.nl" for number in range(5)))
    use(settings, B, A)
    suppress(*(f"b{number}@shop.nl" for number in range(3)))
    everybody = [*(f"a{number}@shop.nl" for number in range(5)), *(f"b{number}@shop.nl" for number in range(3))]
    steps = 0

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal steps
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE consent_suppression"):
            steps += 1
            assert is_found(*everybody)
        return result

    with connection.execute_wrapper(look):
        assert rotate_keys(batch=2) == 5
    assert steps == 3
    assert rotate_keys() == 0, "a second time there is nothing to do"
    assert set(Suppression.objects.values_list("key_chain", flat=True)) == {key_id(B), f"{key_id(A)}+{key_id(B)}"}
    use(settings, C, B, A)
    assert rotate_keys(batch=3) == 8
    assert is_found(*everybody)
    assert not is_found("stranger@shop.nl")


@pytest.mark.django_db
def test_keys_rotated_twice_without_the_command_are_caught_up(settings: LazySettings) -> None:
    use(settings, A)
    suppress("anna@shop.nl")
    use(settings, C, B, A)
    assert is_found("anna@shop.nl")
    assert rotate_keys() == 2
    assert is_found("anna@shop.nl")


@pytest.mark.django_db
def test_a_process_with_older_settings_stops_once_another_rotated(settings: LazySettings) -> None:
    use(settings, A)
    suppress("anna@shop.nl")
    use(settings, B, A)
    rotate_keys()
    use(settings, A)
    with pytest.raises(KeysDoNotFit, match=key_id(B)):
        erased_identifiers([("email", "anna@shop.nl")])
    use(settings, A, B)
    with pytest.raises(KeysDoNotFit, match="order"):
        erased_identifiers([("email", "anna@shop.nl")])


@pytest.mark.django_db
def test_an_address_has_one_entry_a_reason_whatever_key_made_it(settings: LazySettings) -> None:
    use(settings, A)
    suppress("anna@shop.nl")
    use(settings, B, A)
    suppress("anna@shop.nl")
    row = Suppression.objects.get()
    lift_suppression(suppression_id=row.pk, actor="test", note="mended")
    suppress("anna@shop.nl")
    assert Suppression.objects.get().lifted_at is None


@pytest.mark.django_db
def test_tombstones_hold_through_a_rotation(settings: LazySettings) -> None:
    use(settings, A)
    anna = person("anna@shop.nl")
    erase_person(profile_id=anna.pk, actor="test", reason="request")
    use(settings, B, A)
    for _turn in range(2):
        assert find_erased([("email", "anna@shop.nl"), ("email", "bert@shop.nl")]) == {("email", "anna@shop.nl")}
        rotate_keys()
    assert Suppression.objects.get().reason == SuppressionReason.ERASURE


@pytest.mark.django_db(transaction=True)
def test_processes_refuse_to_start_and_the_command_rotates(settings: LazySettings) -> None:
    """With real processes and their environment: worker, web, and the command."""
    suppress("anna@shop.nl")
    own = settings.SUPPRESSION_KEY
    environment = process_environment(free_port())

    def run(*command: str, key: str, fallbacks: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY,
            env={**environment, "SUPPRESSION_KEY": key, "SUPPRESSION_KEY_FALLBACKS": fallbacks},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    granian = ("-m", "cdp.web", "--port", str(free_port()))
    for command in (("manage.py", "work"), ("-m", "cdp.processes.worker", "events"), granian):
        refused = run(*command, key=B)
        assert refused.returncode != 0, command
        assert f"SUPPRESSION_KEY does not fit: the list of suppressed addresses was made with key {key_id(own)}" in (
            refused.stderr + refused.stdout
        )
        assert "Traceback" not in refused.stderr
    assert "no older key" in run("manage.py", "rotate_suppression_key", key=own).stderr
    rotated = run("manage.py", "rotate_suppression_key", key=B, fallbacks=own)
    assert (rotated.returncode, rotated.stdout) == (0, f"1 digests wrapped in key {key_id(B)}\n"), rotated.stderr
    with pytest.raises(KeysDoNotFit):
        is_found("anna@shop.nl")
    use(settings, B, own)
    assert is_found("anna@shop.nl")
