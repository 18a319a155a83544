"""Addresses of segments."""

from django.urls import path

from segments.views import builder, lists, pages

app_name = "segments"
urlpatterns = [
    path("segments/", pages.SegmentList.as_view(), name="list"),
    path("segments/new/", builder.new, name="new"),
    path("segments/builder/tree/", builder.tree, name="tree"),
    path("segments/builder/look/", builder.look, name="look"),
    path("segments/builder/compare/", builder.compare, name="compare"),
    path("segments/builder/why/<uuid:uuid>/", builder.why_draft, name="why_draft"),
    path("lists/new/", lists.new, name="list_new"),
    path("lists/add/", lists.add, name="list_add"),
    path("lists/jobs/<uuid:uuid>/", lists.job, name="list_job"),
    path("segments/<slug:slug>/list/", lists.edit, name="list_edit"),
    path("segments/<slug:slug>/people/", lists.paste, name="list_paste"),
    path("segments/<slug:slug>/remove/", lists.remove, name="list_remove"),
    path("segments/<slug:slug>/clear/", lists.clear, name="list_clear"),
    path("segments/<slug:slug>/", pages.detail, name="detail"),
    path("segments/<slug:slug>/edit/", builder.edit, name="edit"),
    path("segments/<slug:slug>/members/", pages.MemberList.as_view(), name="members"),
    path("segments/<slug:slug>/history/", pages.HistoryList.as_view(), name="history"),
    path("segments/<slug:slug>/why/<uuid:uuid>/", pages.why, name="why"),
    path("segments/<slug:slug>/archive/", pages.archive, name="archive"),
    path("segments/<slug:slug>/duplicate/", pages.duplicate, name="duplicate"),
]
