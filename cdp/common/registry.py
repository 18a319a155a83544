"""Registries that apps fill in `AppConfig.ready()`, so that news and parts travel upward without imports upward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Hold named parts in order; refuse a name twice and a name unknown."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register `item`; raise ValueError when the name is taken by something else."""
        if name in self._items and self._items[name] is not item:
            raise ValueError(f"{self.what} {name!r} is registered twice")
        self._items[name] = item
        return item

    def get(self, name: str) -> T:
        """Return the item; raise KeyError naming what is missing."""
        try:
            return self._items[name]
        except KeyError:
            raise KeyError(f"no {self.what} named {name!r}") from None

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def names(self) -> Iterable[str]:
        """Return the names in the order of registration."""
        return self._items.keys()

    def items(self) -> Iterable[tuple[str, T]]:
        """Return (name, item) pairs in the order of registration."""
        return self._items.items()


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One line on a person's timeline. `at` is aware UTC; `url` may be empty; `kind` is one of the filter chips."""

    at: datetime
    kind: str  # web | order | message | consent | change
    title: str
    detail: str = ""
    chip: str = ""
    url: str = ""
    major: bool = False
    meta: Sequence[str] = field(default_factory=tuple)
    raw: dict[str, Any] | None = None


#: name -> function(profile_id, before: datetime | None, limit, kinds: set[str] | None) -> entries, newest first
timeline: Registry[Callable[..., list[TimelineEntry]]] = Registry("timeline provider")


@dataclass(frozen=True, kw_only=True)
class ProfilePanel:
    """A card on the 360 page. `context(request, profile)` returns the template's context, or None to leave it out.

    The template also gets `person` (the Profile) and begins with `<section class="card">`. The page's head takes from
    the context: `header_chips` [(text, tone)], `header_facts` [(label, value)] and `header_actions` (safe HTML).
    """

    template: str
    context: Callable[..., dict[str, Any] | None]
    order: int = 50
    permission: str = ""


#: cards on the left of the 360 page
profile_panels: Registry[ProfilePanel] = Registry("profile panel")


@dataclass(frozen=True, kw_only=True)
class PersonalDataHolder:
    """An app's personal data of one person.

    `collect(profile_id)` returns JSON-able data for an access request; `erase(profile_id)` removes or anonymises it
    inside the caller's transaction and returns rows per table. It must be idempotent, and quick: while it runs nobody
    can write people. What has to search goes into `prepare(profile_id)`, which runs before, in its own transactions.
    `notes(profile_id)` runs just before `erase`: it changes what names the person without being theirs, and returns
    (code, parameters) of `cdp.common.reasons` for the receipt.
    """

    collect: Callable[[int], dict[str, Any]]
    erase: Callable[[int], dict[str, int]]
    prepare: Callable[[int], dict[str, int]] | None = None
    notes: Callable[[int], Sequence[tuple[str, dict[str, Any]]]] | None = None


personal_data: Registry[PersonalDataHolder] = Registry("personal data holder")


@dataclass(frozen=True, kw_only=True)
class NavEntry:
    """An entry of the left navigation. `group` is one of NAV_GROUPS; `permission` is `app.codename`, empty for all."""

    group: str
    label: Any
    url_name: str
    order: int = 50
    permission: str = ""
    match: str = ""  # path prefix that marks the entry as current; the entry's own path when empty


NAV_GROUPS = ("today", "customers", "reach", "bring_in", "privacy", "system")
navigation: Registry[NavEntry] = Registry("navigation entry")


@dataclass(frozen=True, kw_only=True)
class ProfilePart:
    """A part that an app adds to people in answers of the API: `?include=name`, and to one person by itself.

    `values(profile_ids)` returns the rows of each person as `serializer` (a class of Django REST framework) describes
    them; people without any may be missing. Nothing in it may tell who somebody is: it is not masked.
    """

    serializer: type
    values: Callable[[Sequence[int]], dict[int, list[dict[str, Any]]]]
    permission: str


profile_parts: Registry[ProfilePart] = Registry("part of the profile answer")

#: prefix -> DRF viewset class; mounted below /api/v1/ in the order of registration
api_routes: Registry[type] = Registry("API route")

#: name -> function() -> paths and components of the OpenAPI document that no viewset answers
api_documents: Registry[Callable[[], dict[str, Any]]] = Registry("part of the OpenAPI document")

#: name -> function(user, text: str, limit: int) -> list of {"label", "detail", "url", "kind"} for the search box, and
#: "person", the public id, where it is one
search_providers: Registry[Callable[..., list[dict[str, str]]]] = Registry("search provider")


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """One line of `manage.py doctor` and of the Health page. `run()` returns (ok, what was found, the remedy)."""

    label: Any
    run: Callable[[], tuple[bool, str, str]]
    critical: bool = True


health_checks: Registry[HealthCheck] = Registry("health check")

#: name -> function() -> why no process may start, in one line; "" when it may. Asked only when the database answers.
start_checks: Registry[Callable[[], str]] = Registry("check before the start")


@dataclass(frozen=True, kw_only=True)
class HomeCard:
    """A part of the home page. `context(request)` returns the template's context, or None to leave the card out.

    Slots: `figure` (a `{% figure %}`), `wide` and `side` (a `<section class="card">`), `needs` (`<li>` rows of "Needs a
    person"), `strip` (a `<span>` of the live strip), `checklist` (an `<li>` of the first-run checklist, class `done`).
    """

    template: str
    context: Callable[..., dict[str, Any] | None]
    slot: str  # figure | wide | side | needs | strip | checklist
    order: int = 50
    permission: str = ""


home_cards: Registry[HomeCard] = Registry("home card")


#: kind of journal entry -> function(entries in order) that applies them to a database that may know them already, and
#: returns how many changed something (see cdp.common.journal)
journal_kinds: Registry[Callable[[Sequence[dict[str, Any]]], int]] = Registry("journal kind")


@dataclass(frozen=True, kw_only=True)
class RestoreHandler:
    """What an app does when its database was put back from a backup. `halt()` stops what must not go on by itself;
    `settle()`, after the journal was applied, puts right what can be, and returns figures for the health page.
    Both may be called again after a crash.
    """

    halt: Callable[[], None]
    settle: Callable[[], dict[str, int]]


restore_handlers: Registry[RestoreHandler] = Registry("restore handler")


@dataclass(frozen=True, kw_only=True)
class PeopleAction:
    """What may be done with many people: those ticked in the list of people, all found there, or those of an import.

    The page behind `url_name` is asked by GET with `what` (`ticked`, `found`, `import`) and `person` ids, the search
    and filters of the list of people, or the number of the `import`. It shows how many it is before it does anything.
    """

    label: Any  # "Add to a list"
    url_name: str
    permissions: Sequence[str]


people_actions: Registry[PeopleAction] = Registry("action on many people")


@dataclass(frozen=True, kw_only=True)
class PersonColumns:
    """Columns that every export of people carries, whoever made the list: what may be done with each of them.

    `columns()` returns (key, label) pairs; `values(profile_ids)` returns {person: {key: (yes or no, text of the
    cell)}}, for a block at a time. An export can be narrowed to the people with a yes in one of them.
    """

    columns: Callable[[], Sequence[tuple[str, str]]]
    values: Callable[[Sequence[int]], dict[int, dict[str, tuple[bool, str]]]]


person_columns: Registry[PersonColumns] = Registry("columns of exported people")


@dataclass(frozen=True, kw_only=True)
class NotPersonal:
    """What is known to tell nothing of who somebody is; see cdp.common.masking.

    `paths(event)` returns paths of traits (`event` empty) or of an event's properties whose values may be shown to
    everybody; `events(names)` returns those of the names of events that may be.
    """

    paths: Callable[[str], Iterable[str]]
    events: Callable[[Sequence[str]], Iterable[str]]


not_personal: Registry[NotPersonal] = Registry("catalogue of what is not personal")
