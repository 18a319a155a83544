"""API tokens and the access log in the staff site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cdp.common.access_log import AccessFilters
from cdp.common.models import AccessLog, ApiToken
from cdp.common.service_admin import ReadOnlyAdmin, ServiceAdmin
from cdp.common.token_forms import ApiTokenForm
from cdp.common.tokens import issue_token, rename_token, revoke_tokens

DATES = ("created_at", "last_used_at", "expires_at", "revoked_at")


@admin.register(ApiToken)
class ApiTokenAdmin(ServiceAdmin):
    """Tokens are made here and shown once; they are revoked, never deleted, so that the log stays readable."""

    list_display = ("name", "user", "ending", "scope_names", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "user__username")
    list_select_related = ("user",)
    ordering = ("-id",)
    actions = ("revoke",)

    @admin.display(description=_("ends in"))
    def ending(self, token: ApiToken) -> str:
        """Return the last characters, by which a person knows the token again."""
        return f"…{token.hint}"

    @admin.display(description=_("scopes"))
    def scope_names(self, token: ApiToken) -> str:
        """Return what the token may do."""
        return ", ".join(token.scopes)

    @admin.display(description=_("only from"))
    def network_names(self, token: ApiToken) -> str:
        """Return the networks from which it may be used."""
        return ", ".join(token.networks) or gettext("everywhere")

    def get_form(self, request: HttpRequest, obj: ApiToken | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form for a new token, which knows who makes it."""
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        return type(ApiTokenForm.__name__, (ApiTokenForm,), {"__module__": __name__, "maker": request.user})

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """Leave only the name of an existing token to edit: another right is another token."""
        return ("user", "ending", "scope_names", "network_names", *DATES) if obj else ()

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        """Show all of an existing token, its secret aside."""
        return ("name", *self.get_readonly_fields(request, obj)) if obj else ApiTokenForm.Meta.fields

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Refuse: a token is revoked instead."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Issue a new token and keep its secret for the answer to this request only."""
        if change:
            rename_token(request=request, token=obj, name=obj.name)
            return
        issued, secret = issue_token(
            request=request,
            owner=obj.user,
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            expires_at=form.expires_at(),
            networks=form.cleaned_data["networks"],
        )
        obj.__dict__.update(issued.__dict__, secret_shown_once=secret)

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
        count = revoke_tokens(request=request, tokens=queryset)
        told = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count)
        self.message_user(request, told % {"count": count})


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin):
    """The access log, to read. The page in the Privacy group is better for searching."""

    filters = AccessFilters
    list_display = ("at", "actor_label", "action", "object_kind", "object_id", "ip")
    ordering = ("-id",)
