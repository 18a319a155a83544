"""Our responsive layout, and the footer that no mail goes without."""

from __future__ import annotations

from xml.sax.saxutils import escape

from django.utils.translation import gettext as _

INK, SECOND, LINE, GROUND, ACCENT = "#16202b", "#475569", "#e4e8ee", "#f6f7f9", "#0b6e6e"
_FONT = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

_STYLES = f"""
.letter h1 {{ font-size: 24px; line-height: 1.3; margin: 0 0 16px; color: {INK}; }}
.letter h2 {{ font-size: 19px; line-height: 1.35; margin: 24px 0 12px; color: {INK}; }}
.letter h3, .letter h4 {{ font-size: 16px; line-height: 1.4; margin: 20px 0 8px; color: {INK}; }}
.letter p {{ margin: 0 0 16px; }}
.letter ul, .letter ol {{ margin: 0 0 16px; padding-left: 24px; }}
.letter a {{ color: {ACCENT}; }}
.letter img {{ max-width: 100%; height: auto; }}
.letter blockquote {{ margin: 0 0 16px; padding-left: 16px; border-left: 3px solid {LINE}; color: {SECOND}; }}
.letter table {{ width: 100%; border-collapse: collapse; margin: 0 0 16px; }}
.letter th, .letter td {{ text-align: left; padding: 8px 8px 8px 0; border-bottom: 1px solid {LINE}; }}
.letter hr {{ border: 0; border-top: 1px solid {LINE}; margin: 24px 0; }}
.letter strong a {{ display: inline-block; background: {ACCENT}; color: #ffffff; padding: 12px 20px;
  border-radius: 8px; text-decoration: none; }}
"""


def letter_document(body_html: str, preheader: str, footer: str) -> str:
    """Return the MJML of a letter: a white sheet on a light ground, the footer below."""
    return (
        "<mjml><mj-head>"
        + (f"<mj-preview>{preheader}</mj-preview>" if preheader else "")
        + f'<mj-attributes><mj-all font-family="{_FONT}" /></mj-attributes>'
        + f'<mj-style inline="inline">{_STYLES}</mj-style></mj-head>'
        + f'<mj-body background-color="{GROUND}" width="600px">'
        + '<mj-section padding="16px 0 0"><mj-column></mj-column></mj-section>'
        + '<mj-section background-color="#ffffff" border-radius="10px" padding="24px 8px"><mj-column>'
        + f'<mj-text css-class="letter" font-size="16px" line-height="1.6" color="{INK}">{body_html}</mj-text>'
        + f"</mj-column></mj-section>{footer}</mj-body></mjml>"
    )


def footer_section() -> str:
    """Return the footer as MJML: who sends this, why, and the way out. Filled in for each person."""
    stop, choose = escape(_("Unsubscribe")), escape(_("Preferences"))
    return (
        '<mj-section padding="16px 8px"><mj-column>'
        f'<mj-text font-size="13px" line-height="1.6" color="{SECOND}" align="center">'
        "{{ sender.identity }}<br />"
        f"{_because()}<br />"
        f'<a href="{{{{ links.unsubscribe }}}}" style="color:{SECOND}">{stop}</a> · '
        f'<a href="{{{{ links.preferences }}}}" style="color:{SECOND}">{choose}</a>'
        "</mj-text></mj-column></mj-section>"
    )


def _because() -> str:
    """Return the template of the sentence that says why this person gets the mail, in the writer's language."""
    purpose = {"purpose": "{{ purpose.name }}"}
    agreed = _("You get this mail because you agreed to “%(purpose)s”.") % purpose
    customer = _("You get this mail about “%(purpose)s” because you are a customer.") % purpose
    other = _("You get this mail about “%(purpose)s”.") % purpose
    return (
        f'{{% case purpose.basis %}}{{% when "consent" %}}{agreed}{{% when "soft_opt_in" %}}{customer}'
        f"{{% else %}}{other}{{% endcase %}}"
    )


def footer_text() -> str:
    """Return the footer of the plain-text part."""
    stop, choose = _("Unsubscribe"), _("Preferences")
    return (
        f"\n\n--\n{{{{ sender.identity }}}}\n{_because()}\n"
        f"{stop}: {{{{ links.unsubscribe }}}}\n{choose}: {{{{ links.preferences }}}}\n"
    )
