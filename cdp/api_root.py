"""The REST API's root: the viewsets that the apps registered, the schema and its page, and all other addresses."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, URLPattern, URLResolver, include, path, re_path, resolve
from django.utils.encoding import escape_uri_path, iri_to_uri
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import SimpleRouter

from cdp.common.api_answers import API_BASE, API_PREFIX, refusal
from cdp.common.registry import api_routes


class ApiRouter(SimpleRouter):
    """Routes of viewsets; those of an action come before that of its row, whose id may hold slashes (`user_id:a/b`)."""

    _list, _list_actions, _detail, _detail_actions = SimpleRouter.routes
    routes: list[Any] = [_list, _list_actions, _detail_actions, _detail]

    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        """Return what an id may look like: one part of the path without control characters, unless the viewset says."""
        field = getattr(viewset, "lookup_url_kwarg", None) or viewset.lookup_field
        value = getattr(viewset, "lookup_value_regex", r"[^/\x00-\x1f]+")
        return f"(?P<{lookup_prefix}{field}>{value})"


def api_urls() -> list[URLPattern | URLResolver]:
    """Return the addresses below /api/. The schema names no person, yet shows the inside: for known users only."""
    router = ApiRouter()
    for prefix, viewset in api_routes.items():
        router.register(prefix, viewset, basename=prefix)
    return [
        path("v1/schema/", SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]), name="api_schema"),
        path(
            "v1/docs/",
            SpectacularSwaggerSplitView.as_view(url_name="api_schema", permission_classes=[IsAuthenticated]),
            name="api_docs",
        ),
        path("v1/", include(router.urls)),
        re_path("", elsewhere, name="api_elsewhere"),
    ]


@csrf_exempt  # it does nothing; what it leads to asks for itself
def elsewhere(request: HttpRequest) -> HttpResponse:
    """Lead an address of before the versions, or one without its last slash, to the right one; refuse the others.

    308 keeps the method and the body: after a 301 a client asks again by GET, and takes the list for its success.
    """
    asked = request.path_info
    rest = asked.removeprefix(API_BASE) if asked.startswith(API_BASE) else asked.removeprefix(API_PREFIX)
    target = f"{API_BASE}{rest.removesuffix('/')}/"
    if rest and target != asked and _is_known(target):
        query = request.META.get("QUERY_STRING", "")
        response = HttpResponsePermanentRedirect(
            escape_uri_path(target) + (f"?{iri_to_uri(query)}" if query else ""), preserve_request=True
        )
        response["Cache-Control"] = "no-store"
        return response
    return refusal(404, "not_found", _("There is no such address. The API's page is %(docs)s.") % {"docs": _docs()})


def _is_known(target: str) -> bool:
    try:
        return resolve(target).url_name != "api_elsewhere"
    except Resolver404:
        return False


def _docs() -> str:
    return f"{API_BASE}docs/"
