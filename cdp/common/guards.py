"""Who may open a page: a stranger is led to the log-in page, a known reader who may not gets the page that says so.

Every page names its permissions here, as a decorator or as a class; the API names them in `required_permissions`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

AnyView = TypeVar("AnyView", bound=Callable[..., Any])


def refuse_stranger(request: HttpRequest, *permissions: str) -> HttpResponseBase | None:
    """Return the way to the log-in page for a stranger, None for who may go on; raise PermissionDenied for the others.

    Without any permission every known reader may go on.
    """
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not request.user.has_perms(permissions):
        raise PermissionDenied
    return None


def needs(*permissions: str) -> Callable[[AnyView], AnyView]:
    """Open a view to readers who hold all of these permissions; to all known readers when there are none."""

    def decorate(view: AnyView) -> AnyView:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return refuse_stranger(request, *permissions) or view(request, *args, **kwargs)

        return cast(AnyView, guarded)

    return decorate


class GuardedView(View):
    """A page as a class, open to readers who hold `permission_required`; to all known readers when it is empty."""

    permission_required: str = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask before anything else."""
        needed = [self.permission_required] if self.permission_required else []
        return refuse_stranger(request, *needed) or super().dispatch(request, *args, **kwargs)
