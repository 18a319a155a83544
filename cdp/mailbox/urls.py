"""Addresses of the capture mailbox."""

from django.urls import path

from cdp.mailbox import views

urlpatterns = [
    path("mailbox/", views.inbox, name="mailbox"),
    path("mailbox/clear/", views.clear, name="mailbox_clear"),
    path("mailbox/<str:name>/", views.mail, name="mailbox_mail"),
    path("mailbox/<str:name>/html/", views.mail_html, name="mailbox_html"),
]
