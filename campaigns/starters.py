"""Examples to begin a message with."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Starter:
    """An example: what it is for, and its words."""

    key: str
    label: Promise
    about: Promise
    subject: Promise
    preheader: Promise | str
    body: Promise
    format: str = "letter"


_LETTER = _("""\
Hi {{ person.first_name | default: "there" }},

Write here as you would write to one customer. Short paragraphs read well on a phone.

Tell what is new, why it matters to them, and what you would like them to do.

**[See what is new](https://shop.example/new)**

Kind regards,

The team
""")

_ANNOUNCEMENT = _("""\
# Something new for you

Hi {{ person.first_name | default: "there" }},

From today you can **name what is new here**. It helps you to *say in one line what gets easier*.

- first thing worth knowing
- second thing worth knowing
- when it starts, and for whom

{% if person.city %}
Near {{ person.city }}? Come and see it in our shop.
{% endif %}

**[Read more](https://shop.example/news)**
""")

_TIP = _("""\
## A tip for {{ person.first_name | default: "you" }}

Did you know that *one useful thing about the product*? It takes a minute:

1. Open the first screen.
2. Choose what you need.
3. That is all.

| What | Where |
|---|---|
| Manual | [shop.example/help](https://shop.example/help) |
| Questions | [shop.example/contact](https://shop.example/contact) |

Reply to this mail if you get stuck; a person reads it.
""")

_MJML = _("""\
<mjml>
  <mj-body background-color="#f6f7f9">
    <mj-section background-color="#ffffff">
      <mj-column>
        <mj-text font-size="22px" font-family="Helvetica, Arial, sans-serif">
          Hi {{ person.first_name | default: "there" }}
        </mj-text>
        <mj-text font-size="16px" line-height="1.6" font-family="Helvetica, Arial, sans-serif">
          Your own design. The footer with sender and unsubscribe is added below it.
        </mj-text>
        <mj-button href="https://shop.example" background-color="#0b6e6e">See it</mj-button>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
""")

STARTERS: tuple[Starter, ...] = (
    Starter("letter", _("Letter"), _("A few personal paragraphs and one button."),
            _('News for {{ person.first_name | default: "you" }}'), _("What is new, in half a minute"), _LETTER),
    Starter("announcement", _("Announcement"), _("One piece of news with a headline and a list."),
            _("New: say it in five words"), _("From today for all our customers"), _ANNOUNCEMENT),
    Starter("tip", _("Product tip"), _("Steps and a small table; good after a purchase."),
            _("A tip you can use today"), _("It takes a minute"), _TIP),
    Starter("design", _("Own design"), _("MJML, for those who bring their own layout."),
            _("Your subject"), "", _MJML, "mjml"),
)  # fmt: skip
BY_KEY = {starter.key: starter for starter in STARTERS}
