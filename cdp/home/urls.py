"""Addresses of home, the search box and the reader's own account."""

from django.contrib.auth import views as auth_views
from django.urls import path
from django.views.i18n import set_language

from cdp.home import access_log, accounts, search, views

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("privacy/access/", access_log.AccessLogPage.as_view(), name="access_log"),
    path("search/", search.SearchView.as_view(), name="search"),
    path("login/", accounts.KitLoginView.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("account/password/", accounts.KitPasswordChangeView.as_view(), name="password_change"),
    path("language/", set_language, name="set_language"),
]
