"""Put every change of users, roles and schedules in the append-only log, wherever in a request it is made.

Receivers, so that no page can forget it. What the operator does with commands and migrations is not a user's change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from cdp.common.access import record_access
from cdp.common.acting import current_request

#: model -> kind of object in the log, and how one is called there
WATCHED: dict[type[Model], tuple[str, Callable[[Any], str]]] = {
    User: ("user", lambda user: user.get_username()),
    Group: ("role", lambda role: role.name),
    PeriodicTask: ("schedule", lambda task: task.name),
    **dict.fromkeys(
        (IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule), ("interval", lambda row: str(row))
    ),
}
#: noise: kept by the libraries themselves
IGNORED = {"id", "password", "last_login", "last_run_at", "total_run_count", "date_changed"}
_BEFORE, _PASSWORD = "_logged_before", "_logged_password"


def connect() -> None:
    """Watch the models."""
    for model in WATCHED:
        pre_save.connect(_remember, sender=model, dispatch_uid=f"log.before.{model.__name__}")
        post_save.connect(_note_save, sender=model, dispatch_uid=f"log.save.{model.__name__}")
        pre_delete.connect(_note_delete, sender=model, dispatch_uid=f"log.delete.{model.__name__}")
    for field in (User.groups, User.user_permissions, Group.permissions):
        m2m_changed.connect(_note_links, sender=field.through, dispatch_uid=f"log.links.{field.through.__name__}")


def _by_a_person() -> bool:
    request = current_request()
    return request is not None and getattr(getattr(request, "user", None), "is_authenticated", False)


def _values(row: Model) -> dict[str, str]:
    fields = (field for field in row._meta.concrete_fields if field.name not in IGNORED)
    return {field.name: str(getattr(row, field.name)) for field in fields if getattr(row, field.name) is not None}


def _remember(sender: type[Model], instance: Model, raw: bool = False, **_signal: Any) -> None:
    if raw or not _by_a_person():
        return
    old: Any = sender._default_manager.filter(pk=instance.pk).first() if instance.pk else None
    instance.__dict__[_BEFORE] = None if old is None else _values(old)
    instance.__dict__[_PASSWORD] = getattr(old, "password", None)


def _note_save(sender: type[Model], instance: Model, created: bool, **_signal: Any) -> None:
    if _BEFORE not in instance.__dict__:
        return
    before, password = instance.__dict__.pop(_BEFORE), instance.__dict__.pop(_PASSWORD)
    after = _values(instance)
    if created or before is None:
        _note(instance, "created", {"after": after})
        return
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if names:
        changes = {name: [before.get(name, ""), after.get(name, "")] for name in names}
        _note(instance, "changed", {"changes": changes})
    if isinstance(instance, User) and instance.password != password:
        _note(instance, "password_changed", {})


def _note_delete(sender: type[Model], instance: Model, **_signal: Any) -> None:
    if _by_a_person():
        _note(instance, "deleted", {"before": _values(instance)})


def _note_links(
    sender: Any, instance: Model, action: str, model: type[Model], pk_set: set[Any] | None, **_signal: Any
) -> None:
    done = {"post_add": "added", "post_remove": "removed", "pre_clear": "cleared"}.get(action)
    if done is None or type(instance) not in WATCHED or not _by_a_person():
        return
    if done == "cleared" or pk_set:
        names = sorted(str(one) for one in model._default_manager.filter(pk__in=pk_set or ()))
        _note(instance, "changed", {"what": model._meta.model_name, done: names})


def _note(row: Model, done: str, detail: dict[str, Any]) -> None:
    kind, name = WATCHED[type(row)]
    record_access(action=f"{kind}.{done}", object_kind=kind, object_id=name(row)[:64], detail=detail)
