"""Addresses of the profiles app: each view module brings its own."""

from profiles.api import segment_profiles
from profiles.views import catalogue, imports, kinds, live, merges_bulk, people, person, person_edit, sources

app_name = "profiles"
urlpatterns = [
    *people.urlpatterns,
    *person.urlpatterns,
    *merges_bulk.urlpatterns,
    *person_edit.urlpatterns,
    *kinds.urlpatterns,
    *sources.urlpatterns,
    *live.urlpatterns,
    *imports.urlpatterns,
    *catalogue.urlpatterns,
    *segment_profiles.urlpatterns,
]
