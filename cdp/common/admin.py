"""API tokens and the access log in the staff site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cdp.common.access import record_access
from cdp.common.access_log import AccessFilters
from cdp.common.models import AccessLog, ApiToken
from cdp.common.service_admin import ReadOnlyAdmin, ServiceAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ServiceAdmin):
    """Tokens are made here and shown once; they are revoked, never deleted, so that the log stays readable."""

    list_display = ("name", "user", "ending", "created_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "user__username")
    list_select_related = ("user",)
    fields = ("user", "name")
    ordering = ("-id",)
    actions = ("revoke",)

    @admin.display(description=_("ends in"))
    def ending(self, token: ApiToken) -> str:
        """Return the last characters, by which a person knows the token again."""
        return f"…{token.hint}"

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """Leave only the name of an existing token to edit."""
        return ("user", "ending", "created_at", "last_used_at", "revoked_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """Show the dates of an existing token too."""
        return ("name", *self.get_readonly_fields(request, obj)) if obj else ("user", "name")

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Refuse: a token is revoked instead."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Issue a new token and keep its secret for the answer to this request only."""
        if change:
            obj.save(update_fields=["name"])
            return
        issued, secret = ApiToken.issue(user=obj.user, name=obj.name)
        obj.__dict__.update(issued.__dict__, secret_shown_once=secret)
        record_access(
            request=request,
            action="token.issued",
            object_kind="api_token",
            object_id=str(issued.pk),
            detail={"user_id": obj.user.pk},
        )

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret, this once."""
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("New API token"),
            "token": obj,
            "secret": obj.__dict__.pop("secret_shown_once", ""),
        }
        response = TemplateResponse(request, "admin/common/apitoken/issued.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description=_("Revoke: these tokens stop working at once"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revoke the tokens chosen."""
        pks = list(queryset.filter(revoked_at=None).values_list("pk", flat=True))
        ApiToken.objects.filter(pk__in=pks).update(revoked_at=timezone.now())
        for pk in pks:
            record_access(request=request, action="token.revoked", object_kind="api_token", object_id=str(pk))
        told = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", len(pks))
        self.message_user(request, told % {"count": len(pks)})


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    """The access log, to read. The page in the Privacy group is better for searching."""

    filters = AccessFilters
    list_display = ("at", "actor_label", "action", "object_kind", "object_id", "ip")
    ordering = ("-id",)
