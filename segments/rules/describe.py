"""Say a rule as a sentence, in the language of the injected translator."""

from __future__ import annotations

from segments.rules.catalog import Catalog
from segments.rules.nodes import (
    All,
    AnyOf,
    Consent,
    Event,
    Everyone,
    HasIdentifier,
    Member,
    Node,
    Not,
    Rule,
    Seen,
    Trait,
    Value,
    Window,
)
from segments.rules.operators import CONSENT_STATES, COUNTS, OPERATORS, SEEN
from segments.rules.paths import place_of
from segments.rules.texts import Translate
from segments.rules.texts import gettext_noop as _

CHANNELS = {"email": _("e-mail"), "sms": _("text message"), "phone": _("phone call")}
SHOWN_VALUES = 8


def describe(rule: Rule, catalog: Catalog, translate: Translate = str) -> str:
    """Return the sentence of a whole rule."""
    speaker = Speaker(catalog, translate)
    if isinstance(rule.include, Everyone):
        text = translate(_("Everyone"))
    else:
        text = translate(_("People %(condition)s")) % {"condition": speaker.say(rule.include, top=True)}
    if rule.exclude is not None:
        text = translate(_("%(people)s, except those %(condition)s")) % {
            "people": text,
            "condition": speaker.say(rule.exclude, top=True),
        }
    return text + "."


class Speaker:
    """Say nodes in one language."""

    def __init__(self, catalog: Catalog, translate: Translate = str) -> None:
        self.catalog = catalog
        self._ = translate

    def say(self, node: Node, *, top: bool = False) -> str:
        """Return a phrase that follows "people"."""
        if isinstance(node, (All, AnyOf)):
            joint = self._(_(" and ")) if isinstance(node, All) else self._(_(" or "))
            parts = [self.say(child) for child in node.children]
            text = joint.join(parts)
            return text if top or len(parts) == 1 else f"({text})"
        if isinstance(node, Not):
            return self._(_("not (%(condition)s)")) % {"condition": self.say(node.child, top=True)}
        return self.leaf(node)

    def leaf(self, node: Node) -> str:
        """Return the phrase of one condition."""
        if isinstance(node, Everyone):
            return self._(_("who exist at all (everyone)"))
        if isinstance(node, Trait):
            return self._(_("whose %(trait)s %(comparison)s")) % {
                "trait": self.key(node.key),
                "comparison": self.comparison(node),
            }
        if isinstance(node, Event):
            return self.event(node)
        if isinstance(node, Seen):
            return self._(SEEN[(node.which, node.operator)]) % {"days": node.days}
        if isinstance(node, Member):
            fact = self.catalog.segments.get(node.segment)
            if self.catalog.is_list(node.segment) and fact:
                return self._(_("who are in the list “%(name)s”")) % {"name": fact.name}
            return self._(_("who are in the segment “%(name)s”")) % {"name": fact.name if fact else f"#{node.segment}"}
        if isinstance(node, Consent):
            purpose = self.catalog.purposes.get(node.purpose)
            return self._(_("whose permission for %(purpose)s by %(channel)s is %(state)s")) % {
                "purpose": purpose.name if purpose else node.purpose,
                "channel": self._(CHANNELS.get(node.channel, node.channel)),
                "state": self._(CONSENT_STATES[node.state]),
            }
        if isinstance(node, HasIdentifier):
            kind = self.catalog.identifiers.get(node.kind, node.kind)
            return self._(_("who have an identifier of the kind “%(kind)s”")) % {"kind": kind}
        raise AssertionError(f"no words for {node!r}")

    def key(self, key: str) -> str:
        """Return the name of a trait or property; of a list, of any of its lines."""
        place = place_of(key)
        if not place.is_list:
            return key
        if not place.line_key:
            return self._(_("any of %(list)s")) % {"list": place.key}
        return self._(_("any %(list)s line's %(key)s")) % {"list": place.key, "key": place.line_key}

    def comparison(self, node: Trait) -> str:
        """Return what follows the name of a trait or property."""
        words = {"value": self.value(node.value)}
        if isinstance(node.value, tuple) and len(node.value) == 2:
            words |= {"first": self.value(node.value[0]), "second": self.value(node.value[1])}
        return self._(OPERATORS[node.operator].sentence) % words

    def value(self, value: Value) -> str:
        """Return a value in words."""
        if isinstance(value, bool):
            return self._(_("yes")) if value else self._(_("no"))
        if isinstance(value, tuple):
            shown = ", ".join(self.value(item) for item in value[:SHOWN_VALUES])
            more = len(value) - SHOWN_VALUES
            return shown + (self._(_(" and %(count)s more")) % {"count": more} if more > 0 else "")
        return str(value)

    def event(self, node: Event) -> str:
        """Return the phrase of a condition on behaviour."""
        if node.count == "never":
            text = self._(_("who did not do “%(event)s”")) % {"event": node.name}
        elif node.count == "at_least" and node.times == 1:
            text = self._(_("who did “%(event)s”")) % {"event": node.name}
        else:
            times = self._(COUNTS[node.count][1]) % {"times": node.times}
            text = self._(_("who did “%(event)s” %(times)s")) % {"event": node.name, "times": times}
        window = self.window(node.window)
        if window:
            text += f" {window}"
        if node.where:
            parts = [f"{self.key(item.key)} {self.comparison(item)}" for item in node.where]
            text += " " + self._(_("where %(conditions)s")) % {"conditions": self._(_(" and ")).join(parts)}
        return text

    def window(self, window: Window) -> str:
        """Return when; empty for ever."""
        if window.kind == "last":
            return self._(_("in the last %(days)s days")) % {"days": window.days}
        if window.kind == "between":
            return self._(_("from %(start)s to %(end)s")) % {"start": window.start, "end": window.end}
        return ""
