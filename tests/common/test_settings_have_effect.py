"""Whatever can be set has an effect: every variable of the environment, and every field that a form, the API or a staff
page stores, is read by code that acts on it. What is only shown says so here.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest
from rest_framework.serializers import Serializer

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("campaigns", "segments", "consent", "profiles", "cdp")
#: where a field is taken in, checked or declared: reading it there has no effect
INTAKE = re.compile(r"/(forms|api|migrations|models)(/|\.py)|/(admin|serializers)\.py")
#: plain forms: the row that their fields end up in; "" for those that ask for a deed or a question instead
FORMS = {
    "PurposeForm": "consent.Purpose",
    "TextForm": "consent.ConsentText",
    "AddressForm": "",
    "SuppressForm": "consent.Suppression",
    "StatementForm": "",
    "EraseForm": "",
    "MessageForm": "campaigns.MessageVersion",
    "PlanForm": "campaigns.Campaign",
    "ScheduleForm": "campaigns.Campaign",
    "SourceForm": "profiles.Source",
    "NewSourceForm": "profiles.Source",
    "RotateForm": "",
    "LiveFilterForm": "",
    "TraitForm": "",
    "AnnounceForm": "profiles.CatalogueEntry",
    "DescribeForm": "profiles.CatalogueEntry",
    "PeriodForm": "common.RetentionPeriod",
    "KindForm": "profiles.IdentifierKind",
    "ApiTokenForm": "common.ApiToken",
    "AccountForm": "",
    "LoginForm": "",
}
#: fields that people read and no code acts upon
ONLY_SHOWN = {
    "profiles.CatalogueEntry.description": "what colleagues should know of a trait or event",
    "segments.Segment.description": "what colleagues should know of a segment",
    "consent.Purpose.description": "shown to people on the preference page, and kept with each version",
    "consent.Suppression.note": "why somebody put an address on the list",
    "common.ApiToken.name": "what the token is for",
    "campaigns.Campaign.time_zone": "what was meant: the moment is worked out from it when it is taken in",
}
#: variables of the environment that Django or a library reads under that name
LIBRARIES = re.compile(
    r"^(DEBUG|SECRET_KEY|SECRET_KEY_FALLBACKS|ALLOWED_HOSTS|DEFAULT_FROM_EMAIL|SECURE_HSTS_SECONDS|CELERY_.*|LOG.*)$"
)


@cache
def modules() -> dict[str, ast.Module]:
    """Return the parsed product by path."""
    paths = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def acting() -> dict[str, set[str]]:
    """Return {name: modules that read it from a row}, without those that only take it in and pass it on."""
    found: dict[str, set[str]] = defaultdict(set)
    passed: dict[str, set[str]] = defaultdict(set)
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                passed[node.arg].add(path)
            if not INTAKE.search(f"/{path}"):
                for name in read_in(node):
                    found[name].add(path)
    return {name: paths - passed[name] for name, paths in found.items()}


def read_in(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of code reads: attributes, look-ups of the ORM, columns in SQL."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield node.attr
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in {"values", "values_list", "only"}:
            yield from (
                item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )
        yield from (word.arg.split("__")[0] for word in node.keywords if word.arg and node.func.attr in QUERIES)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
        yield from re.findall(r"[a-z_]{3,}", node.value)


QUERIES = {"filter", "exclude", "get", "update", "Q"}
SQL = re.compile(r"\b(SELECT|WHERE|JOIN|FROM)\b")


def stored_fields() -> Iterator[tuple[type[models.Model], str]]:
    """Yield (model, field) of everything that a form, a serializer or a staff page stores."""
    for part in PARTS:
        for module in pkgutil.walk_packages([str(ROOT / part)], f"{part}."):
            if not re.search(r"\.(migrations|asgi|wsgi)\b", module.name):
                importlib.import_module(module.name)
    for form in own_subclasses(forms.BaseForm):
        if form.__name__ not in FORMS:
            pytest.fail(f"say in FORMS what {form.__module__}.{form.__name__} stores")
        if label := FORMS[form.__name__]:
            yield from ((apps.get_model(label), name) for name in form.base_fields)
    for serializer in own_subclasses(Serializer):
        model = getattr(getattr(serializer, "Meta", None), "model", None)
        if model is not None:
            fields = serializer().get_fields().items()
            yield from ((model, str(field.source or name)) for name, field in fields if not field.read_only)
    request = HttpRequest()
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    for model, page in admin.site._registry.items():
        if model.__module__.split(".")[0] in PARTS and page.has_change_permission(request):
            shown = {str(name) for group in page.get_fieldsets(request) for name in group[1]["fields"]}
            yield from ((model, name) for name in shown - set(map(str, page.get_readonly_fields(request))))


def own_subclasses(base: Any) -> list[Any]:
    """Return our own classes below a class."""
    found, queue = [], [base]
    while queue:
        for child in queue.pop().__subclasses__():
            queue.append(child)
            if child.__module__.split(".")[0] in PARTS:
                found.append(child)
    return found


@pytest.mark.django_db
def test_every_field_that_can_be_set_is_read_by_code_that_acts_on_it() -> None:
    stored = {
        f"{model._meta.label}.{name}": name
        for model, name in stored_fields()
        if name in {field.name for field in model._meta.get_fields()}
    }
    assert {"consent.Purpose.retention_days", "profiles.Source.allowed_origins"} <= stored.keys() and len(stored) > 30
    assert [label for label, name in stored.items() if label not in ONLY_SHOWN and not acting().get(name)] == []
    assert [label for label in ONLY_SHOWN if label not in stored] == []


def test_every_variable_of_the_environment_is_read() -> None:
    settings = modules()["cdp/settings.py"]
    assigned = [node for node in ast.walk(settings) if isinstance(node, ast.Assign)]
    made = {ast.unparse(node.targets[0]) for node in assigned if "env." in ast.unparse(node.value)}
    used = {node.id for node in ast.walk(settings) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for path, tree in modules().items():
        if path != "cdp/settings.py":
            used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert len(made) > 25
    assert {name for name in made - used if not LIBRARIES.match(name)} == set()
