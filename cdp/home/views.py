"""The first page: how it goes, what is on its way, what needs a person."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.views.generic import TemplateView


class HomeView(LoginRequiredMixin, TemplateView):
    """Home."""

    template_name = "home/home.html"
    extra_context: dict[str, Any] = {}
