"""Addresses of the profiles app: each view module brings its own."""

from profiles.views import imports, live, people, person, sources

app_name = "profiles"
urlpatterns = [
    *people.urlpatterns,
    *person.urlpatterns,
    *sources.urlpatterns,
    *live.urlpatterns,
    *imports.urlpatterns,
]
