"""What can be done with one person over the API: restrict, merge, unmerge. Each can be asked again without harm.

Erasure and suppression are of the consent app: see its `erasures` and `suppression`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access
from cdp.common.api_fields import StrictSerializer
from cdp.common.errors import CdpError
from profiles.api.answers import ProfileSerializer
from profiles.identity.whole_words import redacted, telling
from profiles.models import Identifier, Merge, Profile
from profiles.models.identity import MergeState
from profiles.querysets.lookup import get_person
from profiles.services.merges import merge_profiles, undo_merge
from profiles.services.profiles import restrict_person


class ReasonInput(StrictSerializer):
    """Why."""

    reason = serializers.CharField(max_length=200, help_text="For the access log; the person's own words are left out.")


class MergeInput(StrictSerializer):
    """Another person."""

    profile_id = serializers.CharField(max_length=400, help_text="The other person: an id, or `kind:value`.")


class UnmergeInput(StrictSerializer):
    """Who was merged into this person."""

    profile_id = serializers.UUIDField(help_text="The id that they had: `merged_into_id` of it named this person.")


class UnmergeAnswer(serializers.Serializer[Any]):
    """Two people again."""

    profile = ProfileSerializer()
    unmerged = ProfileSerializer()


class PersonActions:
    """The actions, for the viewset of people."""

    request: Any
    given: Any

    def described_one(self, person: Profile) -> dict[str, Any]:
        """Return the person as the reader may see them."""
        raise NotImplementedError

    @extend_schema(request=ReasonInput, responses=ProfileSerializer)
    @action(detail=True, methods=["post"])
    def restrict(self, request: Request, pk: str) -> Response:
        """Restrict the use of a person's data (GDPR art. 18): stored and shown, but in no segment, mail or export."""
        return self._restrict(pk, restricted=True)

    @extend_schema(request=ReasonInput, responses=ProfileSerializer)
    @action(detail=True, methods=["post"], url_path="lift-restriction")
    def lift_restriction(self, request: Request, pk: str) -> Response:
        """Take a restriction back."""
        return self._restrict(pk, restricted=False)

    def _restrict(self, pk: str, *, restricted: bool) -> Response:
        reason = self.given(ReasonInput)["reason"]
        person = get_person(pk, reader=self.request.user)
        values = Identifier.objects.filter(profile_id=person.pk).values_list("value", flat=True)
        person = restrict_person(profile_id=person.pk, restricted=restricted, actor=self.request.user)
        what = "profile.restricted" if restricted else "profile.unrestricted"
        self._note(what, person, reason=redacted(reason, telling(values), "…"))
        return Response(self.described_one(person))

    @extend_schema(request=MergeInput, responses=ProfileSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Merge two people; return the one that both are now. It can be undone."""
        user = self.request.user
        one = get_person(pk, reader=user)
        other = get_person(self.given(MergeInput)["profile_id"], reader=user, place="profile_id")
        if one.pk != other.pk:
            target = merge_profiles(winner_id=one.pk, loser_id=other.pk, actor=user)
            one = Profile.objects.get(pk=target)
            self._note("profile.merged", one, other=str(other.uuid))
        return Response(self.described_one(one))

    @extend_schema(request=UnmergeInput, responses=UnmergeAnswer)
    @action(detail=True, methods=["post"])
    def unmerge(self, request: Request, pk: str) -> Response:
        """Undo the merge of a person into this one, for good: each gets back what is their own."""
        person = get_person(pk, reader=self.request.user)
        given: UUID = self.given(UnmergeInput)["profile_id"]
        loser = Profile.objects.filter(uuid=given, erased_at=None).exclude(pk=person.pk).first()
        if loser is None:
            raise CdpError("unknown_person", _("There is no such person."), place="profile_id")
        if loser.merged_into_id is not None:
            done = Merge.objects.filter(loser_id=loser.pk, winner_id=person.pk, state=MergeState.DONE)
            merge = done.order_by("-at", "-id").first()
            if merge is None:
                raise CdpError(
                    "merge.not_of_person", _("They were merged into somebody else."), place="profile_id", status=409
                )
            undo_merge(merge_id=merge.pk, actor=self.request.user)
            self._note("profile.unmerged", person, other=str(loser.uuid))
        elif not Merge.objects.filter(loser_id=loser.pk, winner_id=person.pk, state=MergeState.UNDONE).exists():
            raise CdpError("merge.not_done", _("They were never merged."), place="profile_id", status=409)
        person.refresh_from_db()
        loser.refresh_from_db()
        return Response({"profile": self.described_one(person), "unmerged": self.described_one(loser)})

    def _note(self, what: str, person: Profile, **detail: str) -> None:
        record_access(
            request=self.request, action=what, object_kind="profile", object_id=str(person.uuid), detail=detail
        )
