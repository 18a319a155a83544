"""Thirteen months of one person, as the calls that the shop's SDKs would have made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from demo import products
from demo.people import WAYS, Person, stable_id

DAYS = 395
WEB, BACKEND = "web", "backend"
_CONSENT_TEXT_VERSION = 1


@dataclass(frozen=True)
class Call:
    """One call of an SDK: by which source, which method, at what time."""

    source: str
    method: str  # identify | track | page
    at: datetime
    message_id: str
    user_id: str | None = None
    anonymous_id: str | None = None
    name: str = ""
    data: dict[str, Any] = field(default_factory=dict)  # traits or properties
    context: dict[str, Any] = field(default_factory=dict)


class Life:
    """Draw one person's calls from dice that fall the same way in every run."""

    def __init__(self, person: Person, now: datetime) -> None:
        self.person = person
        self.now = now
        self.dice = random.Random(f"{person.seed}:life:{person.number}")  # noqa: S311 - a world to look at, not a secret
        self.count = 0
        self.orders = 0
        self.known_since: datetime | None = None

    def calls(self) -> Iterator[Call]:
        """Yield the calls in order of time."""
        person = self.person
        _share, session_range, order_range = WAYS[person.way]
        orders = self.dice.randint(*order_range)
        sessions = max(orders, self.dice.randint(*session_range))
        times = self._session_times(sessions)
        # People look before they sign up: of several visits the first stay anonymous.
        sign_up = self.dice.randrange(0, min(3, sessions)) if person.known else sessions
        buying = set(sorted(range(sign_up, sessions))[-orders:]) if orders else set()
        for number, at in enumerate(times):
            yield from self._session(
                at,
                buys=number in buying,
                signs_up=number == sign_up,
                knows=number >= sign_up,
            )
        yield from self._later_answers()

    # Times ---------------------------------------------------------------------------------------------------------

    def _session_times(self, sessions: int) -> list[datetime]:
        """Return when the person visits: busy months and evenings more often, lapsed people not lately."""
        first, last = (120, DAYS) if self.person.lapsed else (0, DAYS)
        arrival = self.dice.randrange(first, last) if sessions == 1 else self.dice.randrange((first + last) // 3, last)
        days = {arrival}
        for _ in range(sessions - 1):
            tries = [self.dice.randrange(first, arrival + 1) for _ in range(3)]
            weights = [products.MONTHS[(self.now - timedelta(days=day)).month - 1] for day in tries]
            days.add(self.dice.choices(tries, weights)[0])
        while len(days) < sessions:
            days.add(self.dice.randrange(first, last))
        return sorted(self._moment(day) for day in days)

    def _moment(self, days_ago: int) -> datetime:
        hour = self.dice.choices(range(24), products.HOURS)[0]
        at = (self.now - timedelta(days=days_ago)).replace(
            hour=hour,
            minute=self.dice.randrange(60),
            second=self.dice.randrange(60),
            microsecond=0,
        )
        lately = self.now - timedelta(minutes=40 + self.dice.randrange(400))
        return at if at < self.now - timedelta(minutes=40) else lately

    # Calls ---------------------------------------------------------------------------------------------------------

    def _call(self, source: str, method: str, at: datetime, **parts: Any) -> Call:
        self.count += 1
        message_id = stable_id(self.person.seed, self.person.number, self.count)
        return Call(source=source, method=method, at=at, message_id=message_id, **parts)

    def _session(self, at: datetime, *, buys: bool, signs_up: bool, knows: bool) -> Iterator[Call]:
        person, dice = self.person, self.dice
        number = dice.randrange(len(person.devices))
        device = person.devices[number]
        who: dict[str, Any] = {"anonymous_id": person.anonymous_id(number)}
        if knows and not signs_up:
            who["user_id"] = person.user_id
        context: dict[str, Any] = {
            "userAgent": device.user_agent,
            "locale": f"{person.language}-{person.country}",
            "timezone": "Europe/Amsterdam",
            "screen": {"width": device.width},
            "device": {"type": device.label},
        }
        if dice.random() < 0.25:
            context["campaign"] = dict(dice.choice(products.CAMPAIGNS))
        clock = at
        basket = dice.choices(
            products.PRODUCTS,
            products.WEIGHTS,
            k=dice.choices((0, 1, 2, 3), (34, 44, 17, 5))[0],
        )
        if buys and not basket:
            basket = dice.choices(products.PRODUCTS, products.WEIGHTS, k=1)
        yield self._page(clock, who, context, basket[0].category if basket else "Home")
        for product in basket:
            clock += timedelta(seconds=dice.randrange(15, 140))
            properties = {
                **product.line(),
                "currency": "EUR",
                "url": products.SHOP_URL + product.path,
            }
            yield self._call(
                WEB,
                "track",
                clock,
                name="Product Viewed",
                data=properties,
                context=context,
                **who,
            )
        if signs_up:
            clock += timedelta(seconds=dice.randrange(20, 90))
            yield from self._sign_up(clock, who, context)
            who["user_id"] = person.user_id
        if buys:
            yield from self._order(clock, who, context, basket)
        elif basket and dice.random() < 0.2:
            clock += timedelta(seconds=dice.randrange(10, 60))
            yield self._call(
                WEB,
                "track",
                clock,
                name="Product Added",
                data=basket[-1].line(),
                context=context,
                **who,
            )

    def _page(self, at: datetime, who: dict[str, Any], context: dict[str, Any], category: str) -> Call:
        path = "/" if category == "Home" else f"/c/{category.lower()}"
        properties = {
            "url": products.SHOP_URL + path,
            "path": path,
            "title": products.SHOP_NAME if category == "Home" else f"{category} · {products.SHOP_NAME}",
        }
        if self.dice.random() < 0.3:
            properties["referrer"] = self.dice.choice(("https://search.example/", "https://social.example/"))
        return self._call(WEB, "page", at, name=category, data=properties, context=context, **who)

    def _sign_up(self, at: datetime, who: dict[str, Any], context: dict[str, Any]) -> Iterator[Call]:
        person = self.person
        self.known_since = at
        traits = {"email": person.email, "first_name": person.first_name}
        yield self._call(
            WEB,
            "identify",
            at,
            data=traits,
            context=context,
            user_id=person.user_id,
            anonymous_id=who["anonymous_id"],
        )
        full: dict[str, Any] = {
            **traits,
            "last_name": person.last_name,
            "country": person.country,
            "city": person.city,
            "postcode": person.postcode,
            "language": person.language,
            "customer_since": at.date().isoformat(),
        }
        full |= {key: value for key, value in (("phone", person.phone), ("birthday", person.birthday)) if value}
        later = at + timedelta(seconds=2)
        yield self._call(BACKEND, "identify", later, data=full, user_id=person.user_id)
        if person.way != "subscriber":
            yield self._call(
                BACKEND,
                "track",
                later,
                name="Signed Up",
                data={"method": "form"},
                user_id=person.user_id,
            )
        yield from self._first_answers(later)

    def _order(
        self,
        at: datetime,
        who: dict[str, Any],
        context: dict[str, Any],
        basket: list[products.Product],
    ) -> Iterator[Call]:
        dice = self.dice
        extra = dice.choices(
            products.PRODUCTS,
            products.WEIGHTS,
            k=dice.choices((0, 1, 2), (60, 28, 12))[0],
        )
        lines = [
            product.line(1 if product.price > 100 else dice.choices((1, 2, 3), (75, 18, 7))[0])
            for product in basket[:2] + extra
        ]
        goods = round(
            sum(float(str(line["price"])) * int(str(line["quantity"])) for line in lines),
            2,
        )
        discount = round(goods * 0.1, 2) if dice.random() < 0.12 else 0.0
        shipping = 0.0 if goods >= 50 else 4.95
        total = round(goods - discount + shipping, 2)
        self.orders += 1
        order = {
            "order_id": f"{self.person.number}-{self.orders}",
            "total": total,
            "revenue": round(goods - discount, 2),
            "shipping": shipping,
            "tax": round(total * 0.21 / 1.21, 2),
            "discount": discount,
            "currency": "EUR",
            "products": lines,
        }
        if discount:
            order["coupon"] = "BOS10"
        at += timedelta(seconds=dice.randrange(30, 180))
        checkout = {"total": total, "currency": "EUR"}
        yield self._call(
            WEB,
            "track",
            at,
            name="Checkout Started",
            data=checkout,
            context=context,
            **who,
        )
        at += timedelta(seconds=dice.randrange(60, 400))
        yield self._call(
            BACKEND,
            "track",
            at,
            name="Order Completed",
            data=order,
            user_id=self.person.user_id,
        )
        if dice.random() < 0.05:
            returned = at + timedelta(days=dice.randrange(3, 14))
            data = {"order_id": order["order_id"], "total": total, "currency": "EUR"}
            refund = self._call(
                BACKEND,
                "track",
                returned,
                name="Order Refunded",
                data=data,
                user_id=self.person.user_id,
            )
            if returned < self.now:
                yield refund

    # Consent -------------------------------------------------------------------------------------------------------

    def _first_answers(self, at: datetime) -> Iterator[Call]:
        for purpose, answer in self.person.answers.items():
            if answer:
                yield self._answer(
                    "Consent Refused" if answer == "refused" else "Consent Given",
                    purpose,
                    at,
                    "sign-up form v1",
                )

    def _later_answers(self) -> Iterator[Call]:
        if self.known_since is None:
            return
        span = max(1, (self.now - self.known_since).days - 1)
        for purpose, answer in self.person.answers.items():
            name = {
                "withdrawn": "Consent Withdrawn",
                "regiven": "Consent Withdrawn",
                "objected": "Consent Objected",
            }.get(answer)
            if name is None:
                continue
            changed = self.known_since + timedelta(days=self.dice.random() * span, hours=1)
            later = [self._answer(name, purpose, changed, "account page")]
            if answer == "regiven":
                later.append(
                    self._answer(
                        "Consent Given",
                        purpose,
                        changed + timedelta(days=20),
                        "account page",
                    )
                )
            # What lies ahead has its place in the numbering, so that ids stay the same on every day.
            yield from (call for call in later if call.at < self.now)

    def _answer(self, name: str, purpose: str, at: datetime, form: str) -> Call:
        data = {
            "purpose": purpose,
            "channel": "email",
            "text_version": _CONSENT_TEXT_VERSION,
            "language": self.person.language if self.person.language in ("nl", "de") else "en",
            "form": form,
            "page_url": f"{products.SHOP_URL}/account",
        }
        return self._call(BACKEND, "track", at, name=name, data=data, user_id=self.person.user_id)
