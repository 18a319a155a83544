"""Addresses of home, the search box and the language."""

from django.urls import path
from django.views.i18n import set_language

from cdp.home import access_log, search, views

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("privacy/access/", access_log.AccessLogPage.as_view(), name="access_log"),
    path("search/", search.SearchView.as_view(), name="search"),
    path("language/", set_language, name="set_language"),
]
