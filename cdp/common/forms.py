"""Draw Django forms with the kit's templates: `{{ form }}` for all fields, `{{ field.as_field_group }}` for one."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import django.forms
from django.conf import settings
from django.forms.renderers import DjangoTemplates
from django.forms.utils import ErrorList
from django.template.backends.django import DjangoTemplates as Engine

ErrorList.template_name = "components/errors.html"


class KitRenderer(DjangoTemplates):
    """Find form templates in the kit first, widgets in Django."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"

    @cached_property
    def engine(self) -> Engine:
        """Return the engine for form templates: the kit's folder before Django's own."""
        return Engine(
            {
                "APP_DIRS": True,
                "DIRS": [settings.BASE_DIR / "templates", Path(django.forms.__file__).parent / "templates"],
                "NAME": "forms",
                "OPTIONS": {},
            }
        )
