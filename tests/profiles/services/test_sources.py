"""Making and changing sources."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cdp.common.errors import CdpError
from cdp.common.models import AccessLog
from profiles.collector.keys import digest_of
from profiles.models import Source
from profiles.services.sources import create_source, rotate_key, set_enabled, update_source

pytestmark = pytest.mark.django_db


def test_a_browser_key_stays_readable_and_a_server_key_is_kept_as_a_digest_only() -> None:
    shop, public = create_source(name="Shop", kind="browser")
    till, secret = create_source(name="Till", kind="server")
    assert public.startswith("kb_pub_") and shop.public_key == public
    assert secret.startswith("kb_sec_") and till.public_key == ""
    row = Source.objects.filter(pk=till.pk).values().get()
    assert secret not in str(row) and row["key_digest"] == digest_of(secret) and row["key_hint"] == secret[-4:]


def test_names_may_repeat_and_short_names_do_not() -> None:
    first, _key = create_source(name="Web shop", kind="browser")
    second, _key = create_source(name="Web shop", kind="browser")
    assert (first.slug, second.slug) == ("web-shop", "web-shop-2")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"name": "  "}, "source.name_invalid"),
        ({"name": "x" * 101}, "source.name_invalid"),
        ({"kind": "import"}, "source.kind_invalid"),
        ({"allowed_origins": ["https://a.example", "shop.example"]}, "source.origin_invalid"),
        ({"allowed_origins": ["https://shop.example/path"]}, "source.origin_invalid"),
        ({"allowed_origins": [f"https://a{number}.example" for number in range(51)]}, "source.too_many_origins"),
    ],
)
def test_what_is_wrong_is_named(parts: dict[str, object], code: str) -> None:
    with pytest.raises(CdpError) as refused:
        create_source(**{"name": "Shop", "kind": "browser", **parts})  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.code == code
    assert not Source.objects.filter(kind="browser").exists()


def test_origins_are_kept_in_one_form() -> None:
    source, _key = create_source(
        name="Shop",
        kind="browser",
        allowed_origins=["HTTPS://Shop.example/", "https://shop.example", " ", "https://*.a.example:8443"],
    )
    assert source.allowed_origins == ["https://shop.example", "https://*.a.example:8443"]


def test_a_new_key_leaves_the_old_one_its_overlap() -> None:
    source, old = create_source(name="Till", kind="server")
    changed, new = rotate_key(source_id=source.pk, overlap_hours=24)
    assert new != old
    assert changed.previous_key_digest == digest_of(old)
    assert changed.previous_key_until is not None
    assert timedelta(hours=23) < changed.previous_key_until - timezone.now() <= timedelta(hours=24)
    changed, _key = rotate_key(source_id=source.pk, overlap_hours=0)
    assert changed.previous_key_digest == "" and changed.previous_key_until is None


def test_sources_of_klantbeeld_itself_have_no_key_to_change() -> None:
    built_in = Source.objects.get(slug="manual")
    for change in (
        lambda: rotate_key(source_id=built_in.pk),
        lambda: set_enabled(source_id=built_in.pk, enabled=False),
        lambda: update_source(source_id=built_in.pk, name="X", allowed_origins=[]),
    ):
        with pytest.raises(CdpError) as refused:
            change()
        assert refused.value.code == "source.built_in"


def test_every_change_is_in_the_log() -> None:
    source, _key = create_source(name="Till", kind="server")
    rotate_key(source_id=source.pk)
    set_enabled(source_id=source.pk, enabled=False)
    update_source(source_id=source.pk, name="Till 2", allowed_origins=[])
    log = AccessLog.objects.filter(object_kind="source", object_id=source.slug).order_by("pk")
    assert [entry.action for entry in log] == [
        "source.created", "source.key_rotated", "source.disabled", "source.changed",
    ]  # fmt: skip
