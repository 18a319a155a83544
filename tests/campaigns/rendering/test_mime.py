"""The bytes of a mail read back as what was meant, whatever the texts hold."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default as default_policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rendering.mime import Links, MailFrame, Sender, deliverable, one_line

FRAME = MailFrame(
    Sender('Shöp, "the"', "hello@shop.example", "reply@shop.example"),
    list_name="Néws",
    list_id="news.shop.example",
    feedback_id="1:news:klantbeeld:shop",
)
LINKS = Links("https://shop.example/u/" + "a" * 300)
TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00\r\x0b\x0c\x1c\x1d\x1e\x85"), max_size=400
)


def fill(subject: str, text: str, html: str) -> bytes:
    """Return a mail."""
    return FRAME.fill(to="a@b.example", subject=subject, text=text, html=html, message_key="k", links=LINKS, at=0.0)


@given(subject=st.text(max_size=200), text=TEXT, html=TEXT)
def test_a_mail_reads_back_and_holds_no_header_but_ours(subject: str, text: str, html: str) -> None:
    raw = fill(subject, text, html)
    mail = message_from_bytes(raw, policy=default_policy)
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and rich is not None
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert rich.get_content().replace("\r\n", "\n").rstrip("\n") == html.rstrip("\n")
    assert raw.count(b"\n") == raw.count(b"\r\n") and max(map(len, raw.split(b"\r\n"))) <= 998
    assert mail["Bcc"] is None and len(mail.get_all("Subject", [])) == 1
    assert raw.partition(b"\r\n\r\n")[0].isascii()


def test_the_headers_that_providers_ask_for_are_there() -> None:
    mail = message_from_bytes(fill("Hi", "t", "h"), policy=default_policy)
    assert mail["List-Unsubscribe"] == f"<{LINKS.one_click}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Message-ID"] == "<k@shop.example>" and mail["Precedence"] == "bulk"
    assert mail["Feedback-ID"] and mail["List-Id"] and mail["Reply-To"] == "reply@shop.example"
    assert mail["From"].addresses[0].display_name == 'Shöp, "the"'


@pytest.mark.parametrize("text", ["Hi\r\nBcc: all@x.example", "a\x00b", "a\u2028b", "a\ud800b"])
def test_a_header_stays_one_line(text: str) -> None:
    assert "\n" not in one_line(text) and "\x00" not in one_line(text)
    mail = message_from_bytes(fill(text, "t", "h"), policy=default_policy)
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    "address", ["", "none", "a@b@c", "a b@c.example", "a@b.example\r\nBcc: x@y.example", "a@b\x00.example"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the worker turns it into a reason
        deliverable(address)


def test_an_international_domain_goes_in_ascii() -> None:
    assert deliverable("anna@exämple.org") == "anna@xn--exmple-cua.org"
