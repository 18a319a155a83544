"""Digests find a value again under each key that ever was, in Python and in SQL alike."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from django.db import connection

from profiles.identity.digests import KeyRing, key_id, key_ids, wrap_sql

A, B, C = ("key-" + letter * 40 for letter in "abc")
LONG = "long" * 40  # longer than a block of SHA-256


def mac(key: str, message: bytes) -> bytes:
    return hmac.digest(key.encode(), message, hashlib.sha256)


@pytest.mark.parametrize("key", [A, LONG])
def test_a_digest_is_hmac_of_kind_and_value(key: str) -> None:
    ring = KeyRing((key,))
    assert ring.digest("email", " Anna@Shop.nl ") == mac(key, b"email:anna@shop.nl").hex()
    assert ring.digest("phone", "06 123") == mac(key, b"phone:06123").hex()
    assert ring.digest("user_id", "A") != ring.digest("user_id", "a"), "an id minds its case"
    assert ring.digests("email", "a@b.nl") == [ring.digest("email", "a@b.nl")]


def test_a_value_is_looked_for_under_every_way_that_rotations_can_have_left() -> None:
    ring = KeyRing((C, B, A))
    names = [chain.name for chain in ring.chains]
    a, b, c = map(key_id, (A, B, C))
    assert names == [c, f"{b}+{c}", f"{a}+{b}+{c}", b, f"{a}+{b}", a]
    whole = dict(zip(names, ring.digests("user_id", "u"), strict=True))
    assert whole[f"{a}+{b}"] == mac(B, mac(A, b"user_id:u")).hex()
    assert whole[f"{a}+{b}+{c}"] == mac(C, mac(B, mac(A, b"user_id:u"))).hex()
    assert key_ids(names) == {a, b, c}


def test_the_id_of_a_key_tells_nothing_of_it() -> None:
    assert key_id(A) != key_id(B) and len(key_id(A)) == 8
    assert key_id(A) == mac(A, b"id of a key")[:4].hex()


def row(sql: str, params: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", params)
        return cursor.fetchone()


@pytest.mark.django_db
def test_sql_makes_the_same_digests() -> None:
    for ring in (KeyRing((LONG,)), KeyRing((C, B, A))):
        expressions, params = ring.sql("'email:' || 'josé@shop.nl'")
        assert list(row(expressions, params)) == ring.digests("email", "josé@shop.nl")
        old, new = KeyRing((A,)), KeyRing((B, A))
        expression, params = wrap_sql(B, f"'{old.digest('email', 'a@b.nl')}'")
        assert row(expression, params)[0] in new.digests("email", "a@b.nl")
