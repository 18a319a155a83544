"""Which permission each address asks for, written down apart from the code that asks. A new address must be added here.

An entry is `(to read, to act)`: the permission for GET and that for POST. ANYONE: no login needed. KNOWN: any user.
NEVER: there is no such method. The roles behind a permission are in `cdp.common.roles`.
"""

from __future__ import annotations

ANYONE, KNOWN, NEVER = "anyone", "known", "never"

_PERSON, _CHANGE, _MERGE = "profiles.view_profile", "profiles.change_profile", "profiles.merge_profile"
_SOURCE, _SOURCE_CHANGE, _IMPORT = "profiles.view_source", "profiles.change_source", "profiles.view_import"
_LOG, _SAY, _PURPOSE = "consent.view_consentrecord", "consent.add_consentrecord", "consent.view_purpose"
_SUPPRESSION, _SUPPRESS = "consent.view_suppression", "consent.add_suppression"
_SEGMENT, _BUILD, _EDIT = "segments.view_segment", "segments.add_segment", "segments.change_segment"
_MESSAGE, _WRITE, _REWRITE = "campaigns.view_message", "campaigns.add_message", "campaigns.change_message"
_CAMPAIGN, _SEND, _DELIVERY = "campaigns.view_campaign", "campaigns.send_campaign", "campaigns.view_delivery"
_PII = "profiles.view_pii"
_CATALOGUE, _CATALOGUE_CHANGE = "profiles.view_catalogueentry", "profiles.change_catalogueentry"

#: several permissions, all needed, are joined by "+"
PAGES: dict[str, tuple[str, str]] = {
    "home": (KNOWN, NEVER),
    "search": (KNOWN, NEVER),
    "login": (ANYONE, ANYONE),
    "logout": (NEVER, ANYONE),
    "password_change": (KNOWN, KNOWN),
    "set_language": (ANYONE, ANYONE),
    "healthz": (ANYONE, NEVER),
    "readyz": (ANYONE, NEVER),
    "health": ("common.view_heartbeat", NEVER),
    "access_log": ("common.view_accesslog", NEVER),
    "mailbox": (_PII, NEVER),
    "mailbox_clear": (NEVER, _PII),
    "mailbox_mail": (_PII, NEVER),
    "mailbox_html": (_PII, NEVER),
    "api_schema": (KNOWN, NEVER),
    "api_docs": (KNOWN, NEVER),
    "api-root": (NEVER, NEVER),
    "profiles:people": (_PERSON, NEVER),
    "profiles:person": (_PERSON, NEVER),
    "profiles:person_timeline": (_PERSON, NEVER),
    "profiles:trait_history": (_PERSON, NEVER),
    "profiles:person_export": (NEVER, "profiles.export_profile"),
    "profiles:merges": (_MERGE, NEVER),
    "profiles:settle_merge": (NEVER, _MERGE),
    "profiles:edit_trait": (NEVER, _CHANGE),
    "profiles:pin_trait": (NEVER, _CHANGE),
    "profiles:undo_merge": (NEVER, _MERGE),
    "profiles:sources": (_SOURCE, NEVER),
    "profiles:source_new": ("profiles.add_source", "profiles.add_source"),
    "profiles:source": (_SOURCE, NEVER),
    "profiles:source_counts": (_SOURCE, NEVER),
    "profiles:source_edit": (_SOURCE_CHANGE, _SOURCE_CHANGE),
    "profiles:source_rotate": (NEVER, _SOURCE_CHANGE),
    "profiles:source_switch": (NEVER, _SOURCE_CHANGE),
    "profiles:live": (_SOURCE, NEVER),
    "profiles:live_raw": (f"{_SOURCE}+{_PII}", NEVER),
    "profiles:rejected": ("profiles.view_rejectedmessage", NEVER),
    "profiles:rejected_detail": (f"profiles.view_rejectedmessage+{_PII}", "profiles.change_rejectedmessage"),
    "profiles:rejected_discard": (NEVER, "profiles.change_rejectedmessage"),
    "profiles:catalogue": (_CATALOGUE, NEVER),
    "profiles:catalogue_entry": (_CATALOGUE, NEVER),
    "profiles:catalogue_announce": (_CATALOGUE_CHANGE, _CATALOGUE_CHANGE),
    "profiles:catalogue_describe": (NEVER, _CATALOGUE_CHANGE),
    "profiles:catalogue_forget": (NEVER, _CATALOGUE_CHANGE),
    "profiles:imports": (_IMPORT, NEVER),
    "profiles:import_new": ("profiles.add_import", "profiles.add_import"),
    "profiles:import": (_IMPORT, NEVER),
    "profiles:import_map": ("profiles.add_import", "profiles.add_import"),
    "profiles:import_progress": (_IMPORT, NEVER),
    "profiles:import_rows": (_IMPORT, NEVER),
    "profiles:import_rejected": (f"{_IMPORT}+{_PII}", NEVER),
    "profiles:import_act": (NEVER, "profiles.change_import"),
    "consent:unsubscribe": (ANYONE, ANYONE),
    "consent:preferences": (ANYONE, ANYONE),
    "consent:desk": (_LOG, NEVER),
    "consent:verify": (NEVER, _LOG),
    "consent:log": (_LOG, NEVER),
    "consent:record": (_LOG, NEVER),
    "consent:integrity": (_LOG, NEVER),
    "consent:purposes": (_PURPOSE, NEVER),
    "consent:purpose_new": ("consent.add_purpose", "consent.add_purpose"),
    "consent:purpose": (_PURPOSE, "consent.change_purpose"),
    "consent:text_new": (NEVER, "consent.change_purpose"),
    "consent:purpose_change": ("consent.change_purpose", "consent.change_purpose"),
    "consent:purpose_change_people": ("consent.change_purpose", NEVER),
    "consent:suppression": (_SUPPRESSION, NEVER),
    "consent:suppression_look_up": (NEVER, _SUPPRESSION),
    "consent:suppression_add": (_SUPPRESS, _SUPPRESS),
    "consent:suppression_lift": (NEVER, _SUPPRESS),
    "consent:person_record": (_SAY, _SAY),
    "consent:person_evidence": (NEVER, _LOG),
    "consent:person_erase": ("profiles.erase_profile", "profiles.erase_profile"),
    "segments:list": (_SEGMENT, NEVER),
    "segments:new": (_BUILD, _BUILD),
    "segments:tree": (NEVER, _BUILD),
    "segments:look": (NEVER, _BUILD),
    "segments:compare": (NEVER, _EDIT),
    "segments:why_draft": (NEVER, f"{_BUILD}+{_PERSON}"),
    "segments:detail": (_SEGMENT, NEVER),
    "segments:edit": (_EDIT, _EDIT),
    "segments:members": (_SEGMENT, NEVER),
    "segments:history": (_SEGMENT, NEVER),
    "segments:why": (f"{_SEGMENT}+{_PERSON}", NEVER),
    "segments:archive": (NEVER, _EDIT),
    "segments:duplicate": (NEVER, _BUILD),
    "campaigns:messages": (_MESSAGE, NEVER),
    "campaigns:message_new": (_WRITE, _WRITE),
    "campaigns:message_check": (NEVER, _MESSAGE),
    "campaigns:message_preview": (NEVER, _MESSAGE),
    "campaigns:find_person": (_MESSAGE, NEVER),
    "campaigns:version_frame": (_MESSAGE, NEVER),
    "campaigns:message": (_MESSAGE, _REWRITE),
    "campaigns:message_test": (NEVER, _REWRITE),
    "campaigns:message_archive": (NEVER, _REWRITE),
    "campaigns:message_version": (_MESSAGE, NEVER),
    "campaigns:campaigns": (_CAMPAIGN, NEVER),
    "campaigns:campaign_new": ("campaigns.add_campaign", "campaigns.add_campaign"),
    "campaigns:campaign": (_CAMPAIGN, "campaigns.change_campaign"),
    "campaigns:forecast": (_CAMPAIGN, NEVER),
    "campaigns:forecast_people": (_CAMPAIGN, NEVER),
    "campaigns:progress": (_CAMPAIGN, NEVER),
    "campaigns:campaign_frame": (_CAMPAIGN, NEVER),
    **{
        f"campaigns:{action}": (NEVER, _SEND)
        for action in ("schedule", "unschedule", "pause", "resume", "cancel", "resend", "campaign_test")
    },
    "campaigns:deliveries": (_DELIVERY, NEVER),
    "campaigns:delivery": (_DELIVERY, NEVER),
    "campaigns:delivery_mail": (_DELIVERY, NEVER),
}

#: API route -> method -> permission. What is not named is not there.
API: dict[str, dict[str, str]] = {
    "profiles-list": {"GET": _PERSON, "POST": _CHANGE},
    "profiles-detail": {"GET": _PERSON, "PATCH": _CHANGE},
    "profiles-interactions": {"GET": "profiles.view_interaction"},
    "interactions-list": {"GET": "profiles.view_interaction"},
    "sources-list": {"GET": _SOURCE, "POST": "profiles.add_source"},
    "sources-detail": {"GET": _SOURCE, "PATCH": _SOURCE_CHANGE},
    "sources-rotate-key": {"POST": _SOURCE_CHANGE},
    "imports-list": {"GET": _IMPORT, "POST": "profiles.add_import"},
    "imports-detail": {"GET": _IMPORT},
    "imports-check": {"POST": "profiles.add_import"},
    "imports-rows": {"GET": _IMPORT},
    **{
        f"imports-{act}": {"POST": "profiles.change_import"} for act in ("cancel", "confirm", "pause", "resume", "undo")
    },
    "consent-records-list": {"GET": _LOG, "POST": _SAY},
    "consent-records-detail": {"GET": _LOG},
    "purposes-list": {"GET": _PURPOSE, "POST": "consent.add_purpose"},
    "purposes-detail": {"GET": _PURPOSE, "PATCH": "consent.change_purpose"},
    "purposes-texts": {"POST": "consent.change_purpose"},
    "purposes-effect": {"POST": "consent.change_purpose"},
    "purposes-versions": {"GET": _PURPOSE},
    "suppression-list": {"GET": _SUPPRESSION, "POST": _SUPPRESS},
    "suppression-check": {"POST": _SUPPRESSION},
    "permissions-detail": {"GET": _PERSON},
    "segments-list": {"GET": _SEGMENT, "POST": _BUILD},
    "segments-preview": {"POST": _SEGMENT},
    "segments-detail": {"GET": _SEGMENT, "PATCH": _EDIT, "DELETE": _EDIT},
    "segments-changes": {"GET": _SEGMENT},
    "segments-members": {"GET": _SEGMENT},
    "messages-list": {"GET": _MESSAGE, "POST": _WRITE},
    "messages-detail": {"GET": _MESSAGE, "PUT": _REWRITE, "DELETE": _REWRITE},
    "campaigns-list": {"GET": _CAMPAIGN, "POST": "campaigns.add_campaign"},
    "campaigns-detail": {"GET": _CAMPAIGN, "PUT": "campaigns.change_campaign"},
    "campaigns-report": {"GET": _CAMPAIGN},
    **{f"campaigns-{act}": {"POST": _SEND} for act in ("schedule", "unschedule", "pause", "resume", "cancel")},
    "deliveries-list": {"GET": _DELIVERY},
    "deliveries-detail": {"GET": _DELIVERY},
}

#: models of the staff site that nobody may change there, whatever their permissions
READ_ONLY = {
    "common.accesslog",
    "consent.consentrecord",
    "consent.ledgercheck",
    "consent.ledgerseal",
    "consent.suppression",
    "consent.purpose",
    "consent.purposeversion",
    "consent.consenttext",
    "consent.erasure",
}
ADMIN_MODELS = READ_ONLY | {
    "auth.group", "auth.user", "axes.accessattempt", "axes.accesslog", "axes.accessfailurelog", "common.apitoken",
    "django_celery_beat.periodictask", "django_celery_beat.clockedschedule", "django_celery_beat.crontabschedule",
    "django_celery_beat.solarschedule", "django_celery_beat.intervalschedule",
}  # fmt: skip
