"""Why a segment is broken: a code and, for a rule that cannot be used, its problems by code."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from cdp.common.reasons import Reason, ReasonTable, ReasonText, fill
from segments.models import Segment
from segments.rules.check import TEXTS
from segments.rules.errors import RuleError

BROKEN_REASONS = ReasonTable(
    "segment",
    {
        "rule_refused": ReasonText(_("The rule cannot be used.")),
        "builds_on_broken": ReasonText(
            _("It builds on a segment that is broken."), _("It builds on the segment “%(segment)s”, which is broken.")
        ),
        "database_refused": ReasonText(
            _("The database refused the rule."), _("The database refused the rule: %(error)s.")
        ),
    },
)

#: why a job of a list stopped
JOB_REASONS = ReasonTable(
    "list_job",
    {
        "import_stopped": ReasonText(_("The import was not committed.")),
        "segment.archived": ReasonText(_("The list was archived.")),
        "failed": ReasonText(_("It failed several times; somebody has to look at the dead letter.")),
    },
)


def rule_refused(error: RuleError) -> Reason:
    """Return what is stored of a rule that cannot be used."""
    problems = [{"code": item.code, "values": dict(item.values)} for item in error.problems]
    return Reason("rule_refused", {"problems": problems[:20]})


def broken_text(segment: Segment, *, sees_people: bool) -> str:
    """Return why a segment broke, in the reader's language; "" for one that did not.

    The problems of a rule may hold its values: who may not see people is told only of what kind they are.
    """
    if not segment.broken_code:
        return ""
    if not sees_people:
        return BROKEN_REASONS.label(segment.broken_code)
    problems = segment.broken_params.get("problems", ())
    known = [(TEXTS[item["code"]], item["values"]) for item in problems if item["code"] in TEXTS]
    texts = [fill(gettext(text), values) for text, values in known]
    return " ".join(texts) or BROKEN_REASONS.text(segment.broken_code, segment.broken_params)
