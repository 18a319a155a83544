"""The project's own pages in the staff site, in place of those that the libraries registered."""

from django.contrib.auth import admin as auth_admin
from django_celery_beat import admin as beat_admin

from cdp.accounts.admin import register

#: both register first: imported later, they would meet a place that is taken
LIBRARIES = (auth_admin, beat_admin)

register()
