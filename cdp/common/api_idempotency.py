"""`Idempotency-Key`: a request that is sent again, because its answer was lost, has one effect.

The note of an answer is written in the transaction of the effect itself: after a crash either both are there or
neither. While a request is under way a lock of the transaction holds its key, and a second one is told so at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.errors import CdpError
from cdp.common.models import ApiAnswer, ApiToken

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: what can be written in a header without doubt
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: an answer longer than this is not kept: sent again, the request is told that it was done
MAX_ANSWER = 1_000_000

Handler = Callable[..., Any]


def key_of(request: Request) -> str:
    """Return the key that came with a request, empty without one; raise CdpError when it cannot be one."""
    key = str(request.headers.get(HEADER, "")) if request.method in METHODS else ""
    if HEADER in request.headers and request.method in METHODS and not _KEY.fullmatch(key):
        raise CdpError(
            "idempotency_key_invalid", _("An Idempotency-Key has 1 to 255 visible ASCII characters."), place=HEADER
        )
    return key


def once(handler: Handler, request: Request, key: str, *, keep_body: bool) -> Handler:
    """Return a handler that has its effect once for a key, and gives the first answer again.

    Only what was done is kept: a request that was refused may come again with the same key and other contents. Without
    `keep_body` (answers that hold a secret) the second request is told that it was done.
    """

    def handle(*args: Any, **kwargs: Any) -> Any:
        name = _digest(_owner(request), key)
        asked = digest_of(request)
        with transaction.atomic():
            if not _locked(name):
                raise CdpError(
                    "idempotency_key_in_use",
                    _("A request with this key is under way; ask again in a moment."),
                    place=HEADER,
                    status=409,
                )
            known = ApiAnswer.objects.filter(pk=name).first()
            if known is not None:
                return _again(known, asked)
            response = handler(*args, **kwargs)
            if response.status_code < 300:
                _keep(name, asked, response, keep_body=keep_body)
            return response

    return handle


def digest_of(request: Request) -> str:
    """Return what tells one request from another: method, address, query, and the body or its parts."""
    parts = [request.method or "", request.path, request.META.get("QUERY_STRING", "")]
    digest = hashlib.sha256("\n".join(parts).encode())
    if not (request.content_type or "").startswith("multipart/"):
        digest.update(request._request.body)
        return digest.hexdigest()
    # The boundary of the parts differs from try to try.
    data: Any = request.data
    for name in sorted(data):
        for value in data.getlist(name):
            digest.update(f"\n{name}\n".encode())
            if hasattr(value, "chunks"):
                digest.update(str(value.name).encode())
                for chunk in value.chunks():
                    digest.update(chunk)
                value.seek(0)
            else:
                digest.update(str(value).encode())
    return digest.hexdigest()


def forget_answers() -> int:
    """Empty the kept answers, which may tell of anybody; the keys stay, so that nothing happens twice."""
    return ApiAnswer.objects.exclude(answer=None).update(answer=None)


def _owner(request: Request) -> str:
    return f"token:{request.auth.pk}" if isinstance(request.auth, ApiToken) else f"user:{request.user.pk}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def _locked(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int(name[:15], 16)])
        return bool(cursor.fetchone()[0])


def _again(known: ApiAnswer, asked: str) -> HttpResponse:
    if known.asked != asked:
        raise CdpError(
            "idempotency_key_reused",
            _("This key came with another request before: a new request needs a new key."),
            place=HEADER,
            status=422,
        )
    if known.answer is None:
        raise CdpError(
            "idempotency_answer_gone",
            _("This request was done before. Its answer is not kept."),
            place=HEADER,
            status=409,
        )
    answer = HttpResponse(known.answer, status=known.status, content_type="application/json")
    if not known.answer:
        del answer["Content-Type"]
    answer[REPLAYED] = "true"
    return answer


def _keep(name: str, asked: str, response: Response, *, keep_body: bool) -> None:
    body = JSONRenderer().render(response.data).decode() if response.data is not None else ""
    answer = body if keep_body and len(body) <= MAX_ANSWER else None
    ApiAnswer.objects.create(name=name, asked=asked, status=response.status_code, answer=answer)
