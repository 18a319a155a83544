"""Announce, describe and forget entries of the catalogue."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from profiles.catalogue.observe import MAX_PATH
from profiles.catalogue.types import ALL_TYPES
from profiles.identity.traits import name_is_usable
from profiles.models import CatalogueEntry
from profiles.models.catalogue import CatalogueScope, PiiClass

MAX_DESCRIPTION = 500


@transaction.atomic
def announce_entry(
    *, scope: str, event: str = "", path: str = "", type: str = "", description: str = "", actor: Any = None
) -> CatalogueEntry:
    """Put a trait, event or property into the catalogue before any value came, so that rules may name it.

    Raises CdpError `catalogue.bad_name`, `catalogue.bad_type` or `catalogue.exists`.
    """
    event, path = event.strip(), path.strip()
    if scope not in CatalogueScope.values or not _named(scope, event, path):
        raise CdpError("catalogue.bad_name", _("Give a name of up to %(limit)s characters.") % {"limit": MAX_PATH})
    if scope == CatalogueScope.TRAIT and not name_is_usable(path.partition(".")[0].partition("[")[0]):
        raise CdpError("catalogue.bad_name", _("A trait cannot have this name."), place="path")
    if scope != CatalogueScope.EVENT and type not in ALL_TYPES:
        raise CdpError("catalogue.bad_type", _("Choose what kind of value it holds."), place="type")
    entry, created = CatalogueEntry.objects.get_or_create(
        scope=scope,
        event=event if scope != CatalogueScope.TRAIT else "",
        path=path if scope != CatalogueScope.EVENT else "",
        defaults={
            "types": {} if scope == CatalogueScope.EVENT else {type: 0},
            "description": description.strip()[:MAX_DESCRIPTION],
            "declared_at": timezone.now(),
        },
    )
    if not created:
        raise CdpError("catalogue.exists", _("This is in the catalogue already."), status=409)
    record_access(actor=actor, action="catalogue.announced", object_kind="catalogue", object_id=str(entry.uuid))
    return entry


def _named(scope: str, event: str, path: str) -> bool:
    needed = {"trait": (path,), "event": (event,), "property": (event, path)}[scope]
    return all(0 < len(name) <= MAX_PATH and "\x00" not in name for name in needed)


@transaction.atomic
def describe_entry(
    *, entry_id: int, description: str, pii: str | None = None, everywhere: bool = False, actor: Any = None
) -> CatalogueEntry:
    """Say what an entry means and, with `pii`, whether it is personal; `everywhere`: in the properties of all events.

    Frequent values of what is personal are forgotten. Raises CdpError `catalogue.not_found` or `catalogue.bad_class`.
    """
    entry = _locked(entry_id)
    entry.description = description.replace("\x00", "").strip()[:MAX_DESCRIPTION]
    entry.save(update_fields=["description"])
    record_access(actor=actor, action="catalogue.described", object_kind="catalogue", object_id=str(entry.uuid))
    if pii is not None and (pii != entry.pii or everywhere):
        _classify(entry, pii, everywhere=everywhere, actor=actor)
    return entry


def _classify(entry: CatalogueEntry, pii: str, *, everywhere: bool, actor: Any) -> None:
    if pii not in PiiClass.values:
        raise CdpError("catalogue.bad_class", _("Choose whether it is personal."), place="pii")
    rows = CatalogueEntry.objects.filter(pk=entry.pk)
    if everywhere and entry.scope == CatalogueScope.PROPERTY:
        rows = CatalogueEntry.objects.filter(scope=CatalogueScope.PROPERTY, path=entry.path)
    changed = {"pii": pii, **({"top_values": {}} if pii == PiiClass.PERSONAL else {})}
    with_lock = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
    CatalogueEntry.objects.filter(pk__in=with_lock).update(**changed)
    entry.pii = pii
    detail = {"class": pii or "undecided", "entries": len(with_lock)}
    record_access(
        actor=actor, action="catalogue.classified", object_kind="catalogue", object_id=str(entry.uuid), detail=detail
    )


@transaction.atomic
def forget_entry(*, entry_id: int, actor: Any = None) -> None:
    """Take an entry out of the catalogue, an event with its properties, until a value comes in again.

    Rules that name it are refused, and segments that name the trait match nobody, until then.
    """
    entry = _locked(entry_id)
    detail = {"scope": entry.scope}
    if entry.scope == CatalogueScope.EVENT:
        CatalogueEntry.objects.properties(entry.event).delete()
    entry.delete()
    record_access(
        actor=actor, action="catalogue.forgotten", object_kind="catalogue", object_id=str(entry.uuid), detail=detail
    )


def _locked(entry_id: int) -> CatalogueEntry:
    entry: CatalogueEntry | None = CatalogueEntry.objects.select_for_update().filter(pk=entry_id).first()
    if entry is None:
        raise CdpError("catalogue.not_found", _("There is no such entry."), status=404)
    return entry
