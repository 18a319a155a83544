"""Users, roles and schedules in the staff site: through services, with the few fields that a role may set."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import PeriodicTask

from cdp.accounts.forms import AccountForm
from cdp.accounts.services import change_account, create_account, set_temporary_password
from cdp.common.service_admin import ReadOnlyAdmin, ServiceAdmin


class AccountAdmin(ServiceAdmin):
    """Accounts are opened, changed and closed, never deleted: the log names them."""

    list_display = ("username", "first_name", "last_name", "email", "role_names", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)

    @admin.display(description=_("roles"))
    def role_names(self, user: User) -> str:
        """Return the roles that an account has."""
        names = ", ".join(sorted(group.name for group in user.groups.all()))
        superuser = gettext("superuser")
        return f"{names} ({superuser})" if user.is_superuser else names

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the roles along."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Return what can be set of a new account, of one that is there, and of a program's."""
        names = ("username", "first_name", "last_name", "email", "roles")
        if obj is None:
            return (*names, "program")
        if not self.has_change_permission(request, obj):
            return ("username", "first_name", "last_name", "email", "role_names", "is_active")
        return (*names, "is_active", "new_password") if obj.has_usable_password() else (*names, "is_active")

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form, which knows who asks."""
        if obj is not None and not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change, **kwargs)
        shown = self.get_fields(request, obj)
        hidden = {name: None for name in AccountForm.declared_fields if name not in shown}
        own = {"__module__": __name__, "actor": request.user, **hidden}
        kwargs["form"] = type(AccountForm.__name__, (AccountForm,), own)
        return super().get_form(request, obj, change, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Leave a superuser to superusers."""
        untouchable = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not untouchable and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: an account is closed instead."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Make or change the account; keep a temporary password for the answer to this request only."""
        data, actor = form.cleaned_data, request.user
        assert isinstance(actor, User)
        common: dict[str, Any] = {
            "actor": actor,
            "username": data["username"],
            "name": (data["first_name"], data["last_name"]),
            "email": data["email"],
            "roles": data["roles"],
        }
        if change:
            change_account(user_id=obj.pk, active=data["is_active"], **common)
            secret = set_temporary_password(actor=actor, user_id=obj.pk) if data.get("new_password") else ""
        else:
            made, secret = create_account(program=data["program"], **common)
            obj.pk = made.pk
            obj._state.adding = False
        obj.__dict__["secret_shown_once"] = secret

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """Show the password, this once."""
        return self._with_secret(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: User) -> HttpResponse:
        """Show a new password, this once."""
        return self._with_secret(request, obj) or super().response_change(request, obj)

    def _with_secret(self, request: HttpRequest, user: User) -> HttpResponse | None:
        secret = user.__dict__.pop("secret_shown_once", "")
        if not secret:
            return None
        title = gettext("Temporary password")
        context = {**self.admin_site.each_context(request), "title": title, "account": user, "secret": secret}
        return TemplateResponse(request, "admin/auth/user/issued.html", context)


class RoleAdmin(ReadOnlyAdmin):
    """The roles, to read: what each may is part of the product (`cdp.common.roles`)."""

    ordering = ("name",)


class ScheduleAdmin(ServiceAdmin):
    """When upkeep runs; what it runs is the product's and stays as it is."""

    list_display = ("name", "enabled", "interval", "crontab", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "task", "description", "enabled", "interval", "crontab", "last_run_at", "total_run_count")
    readonly_fields = ("name", "task", "description", "last_run_at", "total_run_count")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a task of one's own choosing would run with all rights."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: switch it off instead."""
        return False


def register() -> None:
    """Take the place of what the libraries registered."""
    for model, page in ((User, AccountAdmin), (Group, RoleAdmin), (PeriodicTask, ScheduleAdmin)):
        if admin.site.is_registered(model):
            admin.site.unregister(model)
        admin.site.register(model, page)
