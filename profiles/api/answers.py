"""People in answers of the API: light in lists, with more of each when asked for (`?include=`).

Without `profiles.view_pii` names and addresses are masked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from cdp.common.api_fields import StrictSerializer
from cdp.common.errors import CdpError, NotAllowed
from cdp.common.masking import Reader
from cdp.common.registry import profile_parts
from profiles.models import Identifier, PersonChange, Profile

#: identifiers of one person in an answer: kinds have limits, this holds back what nobody foresaw
MAX_IDENTIFIERS = 200
#: parts that are this app's; `traits` brings `origins` along
OWN_PARTS = ("traits", "identifiers")


class IdentifierSerializer(StrictSerializer):
    """A value that stands for a person."""

    kind = serializers.CharField(max_length=40)
    value = serializers.CharField(max_length=320)


class KnownIdentifierSerializer(IdentifierSerializer):
    """An identifier as stored."""

    trusted = serializers.BooleanField(read_only=True, help_text="A trusted source gave it: it may be mailed.")
    confirmed_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When the person last answered at it; null: never."
    )
    first_seen_at = serializers.DateTimeField(read_only=True)
    last_seen_at = serializers.DateTimeField(read_only=True, allow_null=True)


class ProfileSerializer(serializers.Serializer[Profile]):
    """A person. The parts come for one person by themselves, in lists when `include` names them."""

    id = serializers.UUIDField(read_only=True)
    display_name = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True, help_text="The address to send to; empty when there is none.")
    identified = serializers.BooleanField(read_only=True, help_text="Has a user id or a mail address.")
    first_seen_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_seen_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="null: never active.")
    restricted_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="Stored, not used (art. 18).")
    updated_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="The place in the change feed: when traits, identifiers, permissions or segments last changed. "
        "null: it has none yet, for seconds.",
    )
    deleted = serializers.BooleanField(read_only=True, help_text="Erased or removed; only in the change feed.")
    merged_into_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="Merged into this person; only in the change feed."
    )
    # Parts are not marked as read-only: the document would promise them in every answer.
    traits = serializers.DictField(required=False)
    origins = serializers.DictField(
        required=False,
        help_text="By trait: `s` the source, `t` the time, `c` the cause, `pin` when staff pinned it.",
    )
    identifiers = KnownIdentifierSerializer(many=True, required=False)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields, with the parts of other apps."""
        parts = {name: part.serializer(many=True, required=False) for name, part in profile_parts.items()}
        return super().get_fields() | parts


def include_parameter() -> OpenApiParameter:
    """Return what the schema says of `?include=`."""
    return OpenApiParameter(
        "include",
        OpenApiTypes.STR,
        description="Parts, with commas between: traits, identifiers, segments, permissions. In a list none come by "
        "themselves; of one person all that the reader may see.",
    )


def asked_parts(request: Request, *, default: Collection[str] = ()) -> list[str]:
    """Return the parts that `?include=` names, or of the default those that the reader may see.

    Raises CdpError `unknown_parameter` for a part that there is not, `permission_denied` for one that may not be seen.
    """
    text = request.query_params.get("include")
    names = list(default) if text is None else list(dict.fromkeys(part.strip() for part in text.split(",") if part))
    parts = []
    for name in names:
        if name in OWN_PARTS:
            parts.append(name)
            continue
        if name not in profile_parts.names():
            known = ", ".join([*OWN_PARTS, *profile_parts.names()])
            raise CdpError(
                "unknown_parameter",
                _("There is no part “%(name)s”. Parts are: %(known)s.") % {"name": name[:60], "known": known},
                place="include",
            )
        if request.user.has_perm(profile_parts.get(name).permission):
            parts.append(name)
        elif text is not None:
            raise NotAllowed(_("You may not see the part “%(name)s”.") % {"name": name})
    return parts


def all_parts() -> list[str]:
    """Return the names of all parts that there are."""
    return [*OWN_PARTS, *profile_parts.names()]


def described(people: Sequence[Profile], open_names: bool, parts: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return people with these parts of each; without `open_names` masked."""
    ids = [person.pk for person in people]
    places = dict(PersonChange.objects.filter(pk__in=ids).values_list("pk", "changed_at"))
    reader = Reader.of(open_names)
    loaded: dict[str, Mapping[int, Any]] = {
        name: profile_parts.get(name).values(ids) for name in parts if name not in OWN_PARTS
    }
    if "identifiers" in parts:
        loaded["identifiers"] = identifiers_of(ids, reader)
    answers = []
    for person in people:
        answer = _plain(person, places.get(person.pk), reader)
        if "traits" in parts:
            answer["traits"] = {reader.key(name): reader.trait(name, value) for name, value in person.traits.items()}
            answer["origins"] = {reader.key(name): said for name, said in person.origins.items()}
        answer |= {name: values.get(person.pk, []) for name, values in loaded.items()}
        answers.append(answer)
    return answers


def gone(uuid: Any, changed_at: datetime, *, merged_into: Any = None) -> dict[str, Any]:
    """Return the entry of somebody who is no more, or is another by now."""
    return {
        "id": str(uuid),
        "display_name": "",
        "email": "",
        "identified": False,
        "first_seen_at": None,
        "last_seen_at": None,
        "restricted_at": None,
        "updated_at": changed_at,
        "deleted": merged_into is None,
        "merged_into_id": None if merged_into is None else str(merged_into),
    }


def identifiers_of(profile_ids: Sequence[int], reader: Reader) -> dict[int, list[dict[str, Any]]]:
    """Return the identifiers of people, by person."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in Identifier.objects.filter(profile_id__in=profile_ids).order_by("kind", "value").defer("assertions"):
        theirs = found.setdefault(row.profile_id, [])
        if len(theirs) < MAX_IDENTIFIERS:
            theirs.append(
                {
                    "kind": row.kind,
                    "value": reader.identifier(row.kind, row.value),
                    "trusted": row.trusted,
                    "confirmed_at": row.confirmed_at,
                    "first_seen_at": row.first_seen_at,
                    "last_seen_at": row.last_seen_at,
                }
            )
    return found


def _plain(person: Profile, place: datetime | None, reader: Reader) -> dict[str, Any]:
    return {
        "id": str(person.uuid),
        "display_name": reader.name(person.display_name),
        "email": reader.identifier("email", person.email),
        "identified": person.identified,
        "first_seen_at": person.first_seen_at,
        "last_seen_at": person.last_seen_at,
        "restricted_at": person.restricted_at,
        "updated_at": place,
        "deleted": False,
        "merged_into_id": None,
    }
