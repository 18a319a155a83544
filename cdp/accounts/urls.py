"""Addresses of the reader's own account. Single sign-on will come in beside `login/`."""

from django.contrib.auth import views as auth_views
from django.urls import path

from cdp.accounts import views

urlpatterns = [
    path("login/", views.KitLoginView.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("account/password/", views.KitPasswordChangeView.as_view(), name="password_change"),
]
