"""The captured mails on disk."""

from __future__ import annotations

import stat
from pathlib import Path

from cdp.mailbox.store import MailStore

MAIL = b"From: shop@shop.example\r\nSubject: Hello\r\n\r\nbody\r\n"


def add(box: MailStore, recipient: str) -> str:
    return box.add(sender="b@shop.example", recipients=[recipient], content=MAIL)


def test_newest_comes_first_and_pages_do_not_overlap(tmp_path: Path) -> None:
    box = MailStore(tmp_path / "box")
    names = [add(box, f"p{number}@example.org") for number in range(5)]
    first = box.newest(limit=2)
    rest = box.newest(before=first[-1].name, limit=10)
    assert [mail.name for mail in first + rest] == names[::-1]


def test_search_is_by_recipient(tmp_path: Path) -> None:
    box = MailStore(tmp_path / "box")
    add(box, "anna@example.org")
    add(box, "tom@example.org")
    assert [mail.recipient for mail in box.newest(text="ANNA")] == ["anna@example.org"]


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    box = MailStore(tmp_path / "box")
    name = add(box, "anna@example.org")
    assert stat.S_IMODE((box.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700


def test_a_name_cannot_leave_the_box(tmp_path: Path) -> None:
    box = MailStore(tmp_path / "box")
    add(box, "anna@example.org")
    (tmp_path / "secret.eml").write_text("x")
    assert box.raw("../secret.eml") is None
    assert box.raw("..%2fsecret.eml") is None


def test_an_envelope_cannot_add_headers(tmp_path: Path) -> None:
    box = MailStore(tmp_path / "box")
    name = box.add(sender="a@b.c\r\nX-Bad: 1", recipients=["d@e.f\nX-Bad: 2"], content=MAIL)
    message = box.message(name)
    assert message is not None
    assert message["X-Bad"] is None
    assert message["Subject"] == "Hello"
