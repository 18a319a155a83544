"""What the shop's marketer and privacy officer would have set up: sources, purposes, segments, a campaign."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from campaigns.models import Campaign, Message
from campaigns.services.campaigns import Plan, create_campaign
from campaigns.services.messages import Content, create_message
from consent.models import Basis, Purpose
from consent.services import add_text, create_purpose
from demo.behaviour import BACKEND, WEB
from profiles.models import CatalogueEntry, Source
from profiles.models.catalogue import CatalogueScope, PiiClass
from profiles.models.source import SourceKind
from profiles.services.catalogue import describe_entry
from profiles.services.sources import create_source, rotate_key
from segments.models import Segment
from segments.services import create_segment

#: short name, kind of source and shown name per source of the world
SOURCES = {
    WEB: ("demo-shop", SourceKind.BROWSER, "Fiets & Bos web shop"),
    BACKEND: ("demo-backend", SourceKind.SERVER, "Fiets & Bos order system"),
}
PURPOSES = (
    (
        "newsletter",
        "Newsletter",
        "News of the shop, twice a month.",
        {
            "en": "Yes, send me the Fiets & Bos newsletter by e-mail, about twice a month. I can stop at any time.",
            "nl": "Ja, stuur mij ongeveer twee keer per maand de nieuwsbrief van Fiets & Bos. Ik kan altijd stoppen.",
            "de": "Ja, schickt mir etwa zweimal im Monat den Newsletter von Fiets & Bos. Ich kann jederzeit aufhören.",
        },
    ),
    (
        "product-tips",
        "Product tips",
        "Tips that fit what somebody looked at and bought.",
        {
            "en": "Yes, use what I look at and buy to send me tips that suit me by e-mail.",
            "nl": "Ja, gebruik wat ik bekijk en koop om mij passende tips te mailen.",
            "de": "Ja, nutzt was ich ansehe und kaufe, um mir passende Tipps per E-Mail zu schicken.",
        },
    ),
    (
        "partner-offers",
        "Partner offers",
        "Offers of makers whose gear the shop sells.",
        {
            "en": "Yes, send me offers of the brands you sell by e-mail. My address stays with you.",
            "nl": "Ja, mail mij aanbiedingen van de merken die jullie verkopen. Mijn adres blijft bij jullie.",
            "de": "Ja, schickt mir Angebote der Marken, die ihr verkauft. Meine Adresse bleibt bei euch.",
        },
    ),
)


def _event(name: str, **parts: Any) -> dict[str, Any]:
    return {
        "type": "event",
        "name": name,
        "count": "at_least",
        "times": 1,
        "window": {"kind": "ever"},
        **parts,
    }


def _all(*children: dict[str, Any]) -> dict[str, Any]:
    return {"include": {"type": "all", "children": list(children)}}


def _last(days: int) -> dict[str, Any]:
    return {"kind": "last", "days": days}


SEGMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "Lapsing customers",
        "Bought at least twice, but not in the last 90 days; Netherlands and Belgium.",
        _all(
            {
                "type": "trait",
                "key": "country",
                "operator": "one_of",
                "value": ["NL", "BE"],
            },
            _event("Order Completed", times=2),
            _event("Order Completed", count="never", times=0, window=_last(90)),
        ),
    ),
    (
        "Big orders this year",
        "An order above 250 euros in the last 365 days.",
        _all(
            _event(
                "Order Completed",
                window=_last(365),
                where=[{"key": "total", "operator": "gt", "value": 250}],
            ),
        ),
    ),
    (
        "Looked, did not buy",
        "Looked at products in the last 30 days without an order since.",
        _all(
            {"type": "identifier", "kind": "email"},
            _event("Product Viewed", times=2, window=_last(30)),
            _event("Order Completed", count="never", times=0, window=_last(30)),
        ),
    ),
    (
        "Newsletter readers in Utrecht",
        "People in Utrecht who allowed the newsletter.",
        _all(
            {"type": "trait", "key": "city", "operator": "is", "value": "Utrecht"},
            {
                "type": "consent",
                "purpose": "newsletter",
                "channel": "email",
                "state": "given",
            },
        ),
    ),
    (
        "All customers",
        "Everybody who ever ordered something.",
        _all(_event("Order Completed")),
    ),
)

MESSAGE_NAME = "Winter check-up"
MESSAGE = Content(
    subject="{{ person.first_name | default: 'Hello' }}, is your bike ready for winter?",
    preheader="A check-up, good lights and dry bags.",
    body="""# Ready for the dark months

Dear {{ person.first_name | default: "cyclist" }},

The days are getting short{% if person.city %}, in {{ person.city }} too{% endif %}. Three things make riding through it
a pleasure:

- **Lights that charge by USB-C**, bright enough to see the road by
- **A rain jacket** that breathes
- **A big check-up**: we come past brakes, chain and tyres

[See what helps in winter](https://www.fietsenbos.example/c/safety)

See you on the road,
Fiets & Bos
""",
    from_name="Fiets & Bos",
    from_email="hello@fietsenbos.example",
)
CAMPAIGN_NAME = "Winter check-up: lapsing customers"
CAMPAIGN_SEGMENT = "Lapsing customers"


def ensure_sources(known_keys: dict[str, str]) -> dict[str, str]:
    """Return a working write key per source of the world; make the sources, and a new secret key where it was lost."""
    keys: dict[str, str] = {}
    for role, (slug, kind, name) in SOURCES.items():
        source = Source.objects.filter(slug=slug).first()
        if source is None:
            _source, keys[role] = create_source(name=name, kind=kind, slug=slug, key=known_keys.get(role))
        elif source.public_key:
            keys[role] = source.public_key
        elif known_keys.get(role, "").endswith(source.key_hint) and source.key_hint:
            keys[role] = known_keys[role]
        else:
            _source, keys[role] = rotate_key(source_id=source.pk, overlap_hours=0)
    return keys


def ensure_purposes(actor: User | None) -> None:
    """Make the purposes with their words in three languages."""
    for slug, name, description, texts in PURPOSES:
        if Purpose.objects.filter(slug=slug).exists():
            continue
        purpose = create_purpose(name=name, slug=slug, description=description, basis=Basis.CONSENT)
        for language, text in texts.items():
            add_text(
                purpose_id=purpose.pk,
                text=text,
                actor=actor,
                language=language,
                version=1,
            )


def ensure_segments(actor: User | None) -> None:
    """Make the segments; those of the same name stay as they are."""
    for name, description, rule in SEGMENTS:
        if not Segment.objects.filter(name=name).exists():
            create_segment(name=name, description=description, rule=rule, user=actor)


def ensure_campaign(actor: User | None) -> None:
    """Make a message and a draft campaign that needs nothing but a time."""
    message = Message.objects.filter(name=MESSAGE_NAME).first()
    if message is None:
        message = create_message(name=MESSAGE_NAME, content=MESSAGE, actor=actor)
    if Campaign.objects.filter(name=CAMPAIGN_NAME).exists():
        return
    plan = Plan(
        name=CAMPAIGN_NAME,
        purpose_id=Purpose.objects.get(slug="newsletter").pk,
        segment_id=Segment.objects.get(name=CAMPAIGN_SEGMENT).pk,
        message_id=message.pk,
    )
    create_campaign(plan=plan, actor=actor)


#: what the shop says of its data: values that tell nothing of who somebody is
OPEN_TRAITS = ("country", "language", "customer_since")
_OF_PRODUCTS = ("name", "category", "sku", "brand", "variant", "title")
OPEN_PROPERTIES = {f"{place}{name}" for place in ("", "products[].") for name in _OF_PRODUCTS} | {"path", "method"}


def ensure_classes(actor: Any) -> None:
    """Mark in the catalogue what is not personal, so that an analyst of the shop reads it; what is decided stays."""
    entries = CatalogueEntry.objects.filter(pii=PiiClass.UNDECIDED)
    traits = entries.filter(scope=CatalogueScope.TRAIT, path__in=OPEN_TRAITS)
    properties = entries.filter(scope=CatalogueScope.PROPERTY, path__in=OPEN_PROPERTIES)
    for entry in [*traits, *properties]:
        describe_entry(entry_id=entry.pk, description=entry.description, pii=PiiClass.OPEN, actor=actor)
