"""The four roles. Apps state the permissions of their screens; this table says which role holds them."""

from __future__ import annotations

MARKETER = "Marketer"
ANALYST = "Analyst"
PRIVACY = "Privacy officer"
ADMINISTRATOR = "Administrator"
ROLES = (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR)

#: permission -> roles that hold it. A permission that is not a model's own is declared in that model's Meta.
PERMISSIONS: dict[str, tuple[str, ...]] = {
    # people
    "profiles.view_profile": (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR),
    "profiles.view_pii": (MARKETER, PRIVACY, ADMINISTRATOR),  # without it, names and addresses are masked
    "profiles.change_profile": (MARKETER, PRIVACY, ADMINISTRATOR),
    "profiles.export_profile": (MARKETER, PRIVACY, ADMINISTRATOR),
    "profiles.merge_profile": (MARKETER, PRIVACY, ADMINISTRATOR),
    "profiles.erase_profile": (PRIVACY, ADMINISTRATOR),
    "profiles.view_interaction": (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR),
    "profiles.add_interaction": (ADMINISTRATOR,),  # events by the API: what a server key may, under a user's name
    # bringing in
    "profiles.view_source": (MARKETER, ADMINISTRATOR),
    "profiles.add_source": (ADMINISTRATOR,),
    "profiles.change_source": (ADMINISTRATOR,),
    "profiles.view_identifierkind": (MARKETER, ADMINISTRATOR),
    "profiles.change_identifierkind": (ADMINISTRATOR,),
    "profiles.view_import": (MARKETER, ADMINISTRATOR),
    "profiles.add_import": (MARKETER, ADMINISTRATOR),
    "profiles.change_import": (MARKETER, ADMINISTRATOR),
    "profiles.view_catalogueentry": (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR),
    "profiles.change_catalogueentry": (MARKETER, ADMINISTRATOR),
    "profiles.view_rejectedmessage": (MARKETER, ADMINISTRATOR),
    "profiles.change_rejectedmessage": (MARKETER, ADMINISTRATOR),
    # segments
    "segments.view_segment": (MARKETER, ANALYST, ADMINISTRATOR),
    "segments.add_segment": (MARKETER, ADMINISTRATOR),
    "segments.change_segment": (MARKETER, ADMINISTRATOR),
    "segments.export_segment": (MARKETER, ADMINISTRATOR),
    # campaigns
    "campaigns.view_message": (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR),
    "campaigns.add_message": (MARKETER, ADMINISTRATOR),
    "campaigns.change_message": (MARKETER, ADMINISTRATOR),
    "campaigns.view_campaign": (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR),
    "campaigns.add_campaign": (MARKETER, ADMINISTRATOR),
    "campaigns.change_campaign": (MARKETER, ADMINISTRATOR),
    "campaigns.send_campaign": (MARKETER, ADMINISTRATOR),
    "campaigns.view_delivery": (MARKETER, ANALYST, PRIVACY, ADMINISTRATOR),
    # privacy
    "consent.view_consentrecord": (PRIVACY, ADMINISTRATOR),
    "consent.add_consentrecord": (PRIVACY, ADMINISTRATOR),
    "consent.view_purpose": (MARKETER, PRIVACY, ADMINISTRATOR),
    "consent.add_purpose": (PRIVACY, ADMINISTRATOR),
    "consent.change_purpose": (PRIVACY, ADMINISTRATOR),
    "consent.view_suppression": (PRIVACY, ADMINISTRATOR),
    "consent.add_suppression": (PRIVACY, ADMINISTRATOR),
    "common.view_accesslog": (PRIVACY, ADMINISTRATOR),
    "common.view_retentionrun": (PRIVACY, ADMINISTRATOR),
    "common.change_retentionperiod": (PRIVACY, ADMINISTRATOR),
    # system
    "common.view_heartbeat": (ADMINISTRATOR,),
    "common.view_deadletter": (ADMINISTRATOR,),
    "common.change_deadletter": (ADMINISTRATOR,),
    "common.view_apitoken": (ADMINISTRATOR,),
    "common.add_apitoken": (ADMINISTRATOR,),
    "common.change_apitoken": (ADMINISTRATOR,),
    "auth.view_user": (ADMINISTRATOR,),
    "auth.add_user": (ADMINISTRATOR,),
    "auth.change_user": (ADMINISTRATOR,),
    "auth.view_group": (ADMINISTRATOR,),
    "django_celery_beat.view_periodictask": (ADMINISTRATOR,),
    "django_celery_beat.change_periodictask": (ADMINISTRATOR,),
    "django_celery_beat.view_intervalschedule": (ADMINISTRATOR,),
    "django_celery_beat.view_crontabschedule": (ADMINISTRATOR,),
}
