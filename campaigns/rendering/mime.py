"""The mail as bytes: what is the same for everyone is laid out once, what differs is fitted in.

Building an EmailMessage per person costs over a millisecond; here a variant's frame is assembled once, and a person's
copy costs two quoted-printable passes (in C) and a few short headers. Bodies are always quoted-printable: it survives
every server, needs no 8BITMIME, and keeps lines under 76 octets, so that a signature made by the relay holds.
"""

from __future__ import annotations

import binascii
import re
import secrets
from dataclasses import dataclass
from email.header import Header
from email.utils import formatdate
from functools import lru_cache

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ADDRESS = re.compile(r"^[^\s<>,;:\"()\[\]\\@]+@[^\s<>,;:\"()\[\]\\@]+$")
_SPECIALS = re.compile(r"[()<>@,:;\".\[\]\\]")
MAX_LINE = 76


def one_line(text: str) -> str:
    """Return text fit for a header: control characters, line ends and half characters become a blank (A34)."""
    return _CONTROL.sub(" ", text).strip()


def deliverable(address: str) -> str:
    """Return the address in ASCII where its domain is international; raise ValueError when it is none."""
    if not _ADDRESS.match(address) or _CONTROL.search(address):
        raise ValueError("not a mail address")
    local, _at, domain = address.rpartition("@")
    if not domain.isascii():
        domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}"


def mailbox(name: str, address: str) -> str:
    """Return `name <address>` for a header: quoted or encoded as its characters need (RFC 5322, RFC 2047)."""
    name = one_line(name)
    if not name:
        return address
    if not name.isascii():
        name = Header(name, "utf-8", maxlinelen=MAX_LINE, header_name="From").encode()
    elif _SPECIALS.search(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


@lru_cache(maxsize=512)
def header_text(name: str, value: str) -> str:
    """Return an unstructured header's value, encoded and folded."""
    value = one_line(value)
    if value.isascii() and len(value) + len(name) + 2 <= MAX_LINE and "=?" not in value:
        return value
    charset = "us-ascii" if value.isascii() and "=?" not in value else "utf-8"
    return Header(value, charset, maxlinelen=MAX_LINE, header_name=name).encode(linesep="\r\n")


@dataclass(frozen=True)
class Sender:
    """Who the mail comes from."""

    name: str
    address: str
    reply_to: str = ""


@dataclass(frozen=True)
class Links:
    """The way out of one person's mail. `one_click` takes the POST of RFC 8058; it must be an absolute URL."""

    one_click: str


class MailFrame:
    """One variant's mail with gaps for a person: address, subject, ids, links and both bodies."""

    def __init__(self, sender: Sender, *, list_name: str, list_id: str, feedback_id: str, test: bool = False) -> None:
        self.domain = sender.address.rpartition("@")[2] or "localhost"
        boundary = "=_" + secrets.token_hex(16)
        fixed = [f"From: {mailbox(sender.name, sender.address)}", "MIME-Version: 1.0"]
        if sender.reply_to:
            fixed.append(f"Reply-To: {sender.reply_to}")
        fixed += [
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"',
            f"List-Id: {mailbox(list_name, list_id)}",
            f"Feedback-ID: {one_line(feedback_id)}",
            "Precedence: bulk",
        ]
        if test:
            fixed.append("X-Klantbeeld-Test: yes")
        self._fixed = "\r\n".join(fixed).encode("ascii", "replace") + b"\r\n"
        part = "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        self._before_text = f"\r\n--{boundary}\r\n{part % 'plain'}".encode()
        self._before_html = f"\r\n--{boundary}\r\n{part % 'html'}".encode()
        self._end = f"\r\n--{boundary}--\r\n".encode()

    def fill(self, *, to: str, subject: str, text: str, html: str, message_key: str, links: Links, at: float) -> bytes:
        """Return one person's mail. `message_key` names it on every attempt; `at` is epoch seconds."""
        own = (
            f"Date: {_date(int(at))}\r\n"
            f"Message-ID: <{message_key}@{self.domain}>\r\n"
            f"To: {to}\r\n"
            f"Subject: {header_text('Subject', subject)}\r\n"
            f"List-Unsubscribe: <{links.one_click}>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        )
        return b"".join(
            (
                own.encode("utf-8"),
                self._fixed,
                self._before_text,
                quoted_printable(text),
                self._before_html,
                quoted_printable(html),
                self._end,
            )
        )


def quoted_printable(text: str) -> bytes:
    """Return the text in quoted-printable with CRLF line ends (RFC 2045, section 6.7)."""
    raw = text.encode("utf-8", "replace").replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"  # without a line end in it, binascii would break long lines by a bare LF
    return binascii.b2a_qp(raw, quotetabs=False, istext=True)


@lru_cache(maxsize=8)
def _date(second: int) -> str:
    return formatdate(second, localtime=False)
