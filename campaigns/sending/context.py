"""The values that one person's copy is filled in with: no more of the person than the message mentions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate

from campaigns.models import MessageVersion
from campaigns.rendering.engine import parse, parsed, render
from campaigns.rendering.problems import RenderFailure
from campaigns.rendering.variables import uses_of
from profiles.identity.person import person_name
from profiles.identity.trait_names import ADDRESS, ADDRESS_PARTS, FULL_NAME, canonical_name

#: what a message may mention and is put together of several traits
MADE = frozenset({FULL_NAME, ADDRESS})


DATA = "data."


@dataclass(frozen=True)
class Template:
    """A version, parsed for sending. `keys` are the traits that it mentions, `data_keys` what a send is to give."""

    subject: BoundTemplate
    html: BoundTemplate
    text: BoundTemplate
    keys: frozenset[str]
    data_keys: frozenset[str]
    required: tuple[str, ...]


@dataclass(frozen=True)
class Copy:
    """One person's copy, filled in."""

    subject: str
    html: str
    text: str


def template_of(version: MessageVersion) -> Template:
    """Return the parsed template of a version; versions never change, so it is parsed once per process."""
    return _template(
        version.subject, version.compiled_html, version.compiled_text, version.body, version.preheader,
        tuple(version.required_traits),
    )  # fmt: skip


@lru_cache(maxsize=32)
def _template(subject: str, html: str, text: str, body: str, preheader: str, required: tuple[str, ...]) -> Template:
    keys = {key for key in required if not key.startswith(DATA)}
    data_keys = {key.removeprefix(DATA) for key in required if key.startswith(DATA)}
    for source in (subject, preheader, body):
        for use in uses_of(parse(source, field="body", html=False), source):
            if use.root == "person":
                keys.add(use.key or "*")
            elif use.root == "data":
                data_keys.add(use.key)
    return Template(
        parsed(subject, False),
        parsed(html, True),
        parsed(text, False),
        frozenset(keys),
        frozenset(data_keys - {""}),
        required,
    )


def person_values(traits: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return the values that the message mentions; all of them when it goes through them by a computed name.

    A trait is found under any word for it (`firstName`); the full name and the address are put together of their parts.
    """
    if "*" in keys:
        return {**_put_together(traits), **traits}
    put_together = _put_together(traits) if not MADE.isdisjoint(keys) else {}
    found = ((key, traits.get(key, traits.get(canonical_name(key), put_together.get(key)))) for key in keys)
    return {key: value for key, value in found if value is not None}


def _put_together(traits: Mapping[str, Any]) -> dict[str, Any]:
    parts = {part: traits[part] for part in ADDRESS_PARTS if part in traits}
    if "postal_code" in parts:
        parts["postalCode"] = parts["postal_code"]  # as Segment writes it
    made = {FULL_NAME: person_name(traits), ADDRESS: parts}
    return {key: value for key, value in made.items() if value}


def missing_values(
    values: Mapping[str, Any], required: Collection[str], data: Mapping[str, Any] | None = None
) -> list[str]:
    """Return the required traits that are absent or empty (A35); `data.x` asks for x of what a send was given along."""
    found: list[str] = []
    for key in required:
        value = (data or {}).get(key.removeprefix(DATA)) if key.startswith(DATA) else values.get(key)
        if value in (None, "", [], {}):
            found.append(key)
    return found


def fill_in(template: Template, stored: Mapping[str, Any], links: Mapping[str, str]) -> Copy:
    """Render a copy from the stored context and this person's links; raise RenderFailure."""
    context = {
        "person": stored.get("person", {}),
        "purpose": stored.get("purpose", {}),
        "sender": stored.get("sender", {}),
        "data": stored.get("data", {}),
        "links": dict(links),
    }
    copy = Copy(
        subject=render(template.subject, context),
        html=render(template.html, context),
        text=render(template.text, context),
    )
    if links["unsubscribe"] not in copy.text or links["unsubscribe"].replace("&", "&amp;") not in copy.html:
        raise RenderFailure("render_error", "the unsubscribe link is missing")
    return copy
