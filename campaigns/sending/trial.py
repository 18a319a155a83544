"""Fill a message in without sending it, to find out before the send whom it fails."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from liquid.ast import BlockNode, ConditionalBlockNode
from liquid.builtin.content import ContentNode
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.if_tag import IfNode

from campaigns.models import Campaign
from campaigns.rendering.engine import expressions_of, nodes_of
from campaigns.rendering.problems import RenderFailure
from campaigns.sending.compose import fixed_values
from campaigns.sending.context import Template, fill_in, person_values
from profiles.models import Profile

#: how many people a forecast tries, and for how long (processor time): a page waits for it
TRIAL_PEOPLE = 2_000
TRIAL_SECONDS = 1.0

#: with these, whatever a person's values are, a text comes out
_SAFE_NODES = (
    ContentNode, OutputNode, IfNode, BlockNode, ConditionalBlockNode, CaptureNode, CaseNode, MultiExpressionBlockNode,
)  # fmt: skip
_SAFE_FILTERS = frozenset(
    {"default", "escape", "capitalize", "upcase", "downcase", "strip", "lstrip", "rstrip", "safe_url"}
)
_UNSAFE_EXPRESSIONS = ("Lt", "Gt", "Le", "Ge", "Contains", "Ternary", "Range")


@dataclass(frozen=True)
class Trial:
    """Whom the message failed of those it was tried with; `whole` when that was everybody, or it can fail nobody."""

    tried: int = 0
    failed: tuple[int, ...] = ()
    whole: bool = True


def can_fail(template: Template) -> bool:
    """Tell whether some value of some person could keep the message from being filled in."""
    for part in (template.subject, template.html, template.text):
        if any(not isinstance(node, _SAFE_NODES) for node in nodes_of(part)):
            return True
        if set(part.analyze(include_partials=False).filters) - _SAFE_FILTERS:
            return True
        for node in nodes_of(part):
            for whole in node.expressions():
                if any(type(item).__name__.startswith(_UNSAFE_EXPRESSIONS) for item in expressions_of(whole)):
                    return True
    return False


def try_message(campaign: Campaign, template: Template, profile_ids: Sequence[int], *, everybody: bool) -> Trial:
    """Fill the message in for these people, for as long as a page may take; `everybody` when they are all."""
    assert campaign.purpose is not None
    fixed = fixed_values(campaign.purpose, campaign.sender_identity)
    links = {"unsubscribe": "https://example.invalid/u/", "preferences": "https://example.invalid/"}
    until = time.thread_time() + TRIAL_SECONDS
    traits = dict(Profile.objects.filter(pk__in=profile_ids).values_list("pk", "traits"))
    failed: list[int] = []
    for tried, profile_id in enumerate(profile_ids):
        if time.thread_time() > until:
            return Trial(tried, tuple(failed), whole=False)
        try:
            fill_in(template, {"person": person_values(traits.get(profile_id) or {}, template.keys), **fixed}, links)
        except RenderFailure:
            failed.append(profile_id)
    return Trial(len(profile_ids), tuple(failed), whole=everybody)
