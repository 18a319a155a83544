"""Every address of the site. Apps bring their own; collection paths never come here (see cdp.asgi)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from cdp.api_root import api_urls, elsewhere

handler400 = "cdp.home.refused.bad_request"
handler403 = "cdp.home.refused.refused"
handler404 = "cdp.home.refused.not_found"
handler500 = "cdp.home.outage.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("cdp.home.urls")),
    path("", include("cdp.accounts.urls")),
    path("", include("cdp.health.urls")),
    path("", include("cdp.retention.urls")),
    path("", include("cdp.mailbox.urls")),
    path("", include("profiles.urls")),
    path("", include("consent.urls")),
    path("", include("segments.urls")),
    path("", include("campaigns.urls")),
    path("api/", include(api_urls())),
    path("api", elsewhere, name="api_elsewhere"),
    path("admin/", admin.site.urls),
]
