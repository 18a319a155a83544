"""Every address of the site. Apps bring their own; collection paths never come here (see cdp.asgi)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from cdp.api_root import api_urls
from cdp.mailbox.urls import urlpatterns as mailbox_urls

urlpatterns: list[URLPattern | URLResolver] = [
    *mailbox_urls,
    path("api/", include(api_urls())),
    path("admin/", admin.site.urls),
]

# Parts that are written beside this one are mounted as they appear.
for _module in ("cdp.home.urls", "cdp.health.urls"):
    try:
        urlpatterns.append(path("", include(_module)))
    except ModuleNotFoundError as _error:
        if _error.name not in (_module, _module.rpartition(".")[0]):
            raise
for _app in ("profiles", "consent", "segments", "campaigns"):
    try:
        urlpatterns.append(path("", include(f"{_app}.urls")))
    except ModuleNotFoundError as _error:
        if _error.name != f"{_app}.urls":
            raise
