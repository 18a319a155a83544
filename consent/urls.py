"""Addresses of the privacy desk and of the public links."""

from __future__ import annotations

from django.urls import path

from consent.views import desk, erasures, ledger, person, public, purpose_changes, purposes, suppression

app_name = "consent"

urlpatterns = [
    path("u/<str:token>/", public.unsubscribe, name="unsubscribe"),
    path("preferences/<str:token>/", public.preferences, name="preferences"),
    path("preferences/confirm/<str:token>/", public.confirm, name="confirm"),
    path("privacy/", desk.desk, name="desk"),
    path("privacy/verify/", desk.verify, name="verify"),
    path("privacy/integrity/", desk.integrity, name="integrity"),
    path("privacy/log/", ledger.LedgerList.as_view(), name="log"),
    path("privacy/log/<int:record_id>/", ledger.record, name="record"),
    path("privacy/purposes/", purposes.purpose_list, name="purposes"),
    path("privacy/purposes/new/", purposes.purpose_new, name="purpose_new"),
    path("privacy/purposes/<slug:slug>/", purposes.purpose_detail, name="purpose"),
    path("privacy/purposes/<slug:slug>/ending/", purposes.purpose_ending, name="purpose_ending"),
    path("privacy/purposes/<slug:slug>/words/", purposes.text_new, name="text_new"),
    path("privacy/purposes/<slug:slug>/change/", purpose_changes.purpose_change, name="purpose_change"),
    path(
        "privacy/purposes/<slug:slug>/change/people/",
        purpose_changes.purpose_change_people,
        name="purpose_change_people",
    ),
    path("privacy/suppression/", suppression.SuppressionList.as_view(), name="suppression"),
    path("privacy/suppression/look-up/", suppression.look_up, name="suppression_look_up"),
    path("privacy/suppression/add/", suppression.add, name="suppression_add"),
    path("privacy/suppression/<int:suppression_id>/lift/", suppression.lift, name="suppression_lift"),
    path("privacy/erasures/<int:erasure_id>/", erasures.receipt, name="erasure"),
    path("privacy/people/<uuid:uuid>/record/", person.record_statement, name="person_record"),
    path("privacy/people/<uuid:uuid>/evidence/", person.evidence, name="person_evidence"),
    path("privacy/people/<uuid:uuid>/erase/", person.erase, name="person_erase"),
]
