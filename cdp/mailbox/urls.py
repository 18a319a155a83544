"""Addresses of the capture mailbox."""

from django.urls import path

from cdp.mailbox import views

urlpatterns = [
    path("mailbox/", views.inbox, name="mailbox"),
    path("mailbox/clear/", views.clear, name="mailbox_clear"),
    path("mailbox/<str:key>/", views.mail, name="mailbox_mail"),
    path("mailbox/<str:key>/html/", views.mail_html, name="mailbox_html"),
]
