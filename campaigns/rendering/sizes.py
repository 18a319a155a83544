"""How large a text may be before any parser sees it: each of these bounds one that is slow or falls over beyond it.

Measured with 200 KB of hostile input: a tag that nothing closes makes every look for the next one read to the end (more
than 8 s); nested elements beyond some 2,000 overflow the stack of the MJML and CSS libraries, which ends the process.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from campaigns.rendering.problems import TemplateProblem

MAX_TAGS = 2_000
MAX_TAG_LENGTH = 2_000
MAX_ELEMENTS = 1_500  # of which all may be inside each other
MAX_COMMENTS = 300
_OPENER = re.compile(r"{%|{{")
_ELEMENT = re.compile(r"<[a-zA-Z]")


def check_tags(source: str, *, field: str) -> None:
    """Refuse a text of which a tag is not closed, too long, or one of too many; in one pass."""
    at = 0
    for _number in range(MAX_TAGS + 1):
        opener = _OPENER.search(source, at)
        if opener is None:
            return
        start = opener.start()
        end = source.find("%}" if opener[0] == "{%" else "}}", start + 2)
        if end < 0 or end - start > MAX_TAG_LENGTH:
            raise TemplateProblem(
                _("A tag begins here that does not end within %(limit)s characters.") % {"limit": MAX_TAG_LENGTH},
                field=field,
                line=source.count("\n", 0, start) + 1,
            )
        at = end + 2
    raise TemplateProblem(_("A text may hold up to %(limit)s tags.") % {"limit": MAX_TAGS}, field=field)


def check_elements(source: str, *, field: str) -> None:
    """Refuse a design of more elements than could safely stand inside each other."""
    if sum(1 for _found in _ELEMENT.finditer(source)) > MAX_ELEMENTS or source.count("<!--") > MAX_COMMENTS:
        raise TemplateProblem(
            _("A design may hold up to %(limit)s elements; leave something out.") % {"limit": MAX_ELEMENTS}, field=field
        )
