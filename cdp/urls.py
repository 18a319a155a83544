"""Every address of the site. Apps bring their own; collection paths never come here (see cdp.asgi)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
]
