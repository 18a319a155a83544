"""The suppression list and what may be done with a person, over the REST API."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_access
from cdp.common.api_answers import PERSON_PATH
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from consent.filters import SuppressionFilters
from consent.gate import answers_for
from consent.models import ConsentRecord, Suppression, SuppressionReason
from consent.reasons import gate_text
from consent.services.suppressing import find_suppressions, lift_address, suppress_address
from profiles.models import Profile
from profiles.querysets.lookup import get_person

ADDRESS_KINDS = [(name, name) for name in ("email", "phone", "user_id")]
#: what is lifted when no reason is named: an erased person comes back only when asked for by name
LIFTABLE = [value for value in SuppressionReason.values if value != "erasure"]


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    """An entry of the list; the address itself is not known."""

    id = serializers.UUIDField(source="uuid", read_only=True)

    class Meta:
        model = Suppression
        fields = ("id", "kind", "digest", "reason", "note", "created_at", "created_by", "lifted_at")
        read_only_fields = fields


class SuppressionInput(StrictSerializer):
    """An address."""

    kind = serializers.ChoiceField(choices=ADDRESS_KINDS, default="email")
    value = serializers.CharField(max_length=320)
    reason = serializers.ChoiceField(
        choices=[value for value in SuppressionReason.values if value != "erasure"], default="manual"
    )
    note = serializers.CharField(max_length=200, default="", allow_blank=True)


class LiftInput(StrictSerializer):
    """An address to allow again."""

    kind = serializers.ChoiceField(choices=ADDRESS_KINDS, default="email")
    value = serializers.CharField(max_length=320)
    reason = serializers.ChoiceField(
        choices=SuppressionReason.choices,
        required=False,
        help_text="Lift the entry with this reason only. Without it all but `erasure`, which must be named.",
    )
    note = serializers.CharField(max_length=200, help_text="Why it may be used again.")


class SuppressionAnswer(serializers.Serializer[Any]):
    """Whether an address is on the list."""

    suppressed = serializers.BooleanField()
    entries = SuppressionSerializer(many=True)


class SuppressionViewSet(mixins.ListModelMixin, ApiViewSet[Suppression]):
    """List, look up and add suppressed addresses."""

    queryset = Suppression.objects.all()
    serializer_class = SuppressionSerializer
    filterset_class = SuppressionFilters
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "consent.view_suppression",
        "check": "consent.view_suppression",
        "create": "consent.add_suppression",
        "lift": "consent.add_suppression",
    }

    @extend_schema(request=SuppressionInput, responses={201: SuppressionSerializer})
    def create(self, request: Request) -> Response:
        """Put an address on the list; idempotent."""
        row = suppress_address(actor=request.user, **self.given(SuppressionInput))
        self._note("suppression.added", row)
        return Response(SuppressionSerializer(row).data, status=201)

    @extend_schema(request=LiftInput, responses=SuppressionAnswer)
    @action(detail=False, methods=["post"])
    def lift(self, request: Request) -> Response:
        """Allow an address again, saying why; idempotent. The entries stay, with who lifted them."""
        given = self.given(LiftInput)
        reasons = [given["reason"]] if "reason" in given else LIFTABLE
        rows = list(
            lift_address(
                kind=given["kind"], value=given["value"], reasons=reasons, actor=request.user, note=given["note"]
            )
        )
        for row in rows:
            self._note("suppression.lifted", row)
        entries = list(find_suppressions(kind=given["kind"], value=given["value"]))
        return Response(
            SuppressionAnswer({"suppressed": any(row.lifted_at is None for row in entries), "entries": entries}).data
        )

    def _note(self, what: str, row: Suppression) -> None:
        record_access(
            request=self.request,
            action=what,
            object_kind="suppression",
            object_id=str(row.pk),
            detail={"kind": row.kind, "reason": row.reason},
        )

    @extend_schema(request=SuppressionInput, responses=SuppressionAnswer)
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        """Tell whether an address is on the list. By POST: an address does not belong in a web address."""
        form = SuppressionInput(data=request.data)
        form.is_valid(raise_exception=True)
        rows = list(find_suppressions(kind=form.validated_data["kind"], value=form.validated_data["value"]))
        body = {"suppressed": any(row.lifted_at is None for row in rows), "entries": rows}
        return Response(SuppressionAnswer(body).data)


class DecisionSerializer(serializers.Serializer[Any]):
    """What may be done, for one purpose by one channel."""

    purpose_id = serializers.CharField()
    channel = serializers.CharField()
    state = serializers.CharField(allow_blank=True)
    allowed = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    reason_text = serializers.CharField()
    record_id = serializers.UUIDField(allow_null=True, help_text="the consent record behind it")


class PermissionViewSet(ApiViewSet[Profile]):
    """What may be done with a person."""

    queryset = Profile.objects.all()
    serializer_class = DecisionSerializer
    lookup_url_kwarg = "person"
    pagination_class = None  # of one person all at once
    lookup_value_regex = PERSON_PATH
    required_permissions: ClassVar[dict[str, str]] = {"retrieve": "profiles.view_profile"}

    @extend_schema(responses=DecisionSerializer(many=True))
    def retrieve(self, request: Request, person: str) -> Response:
        """Return the decision for every active purpose and channel, with the record behind it."""
        profile = get_person(person, reader=request.user)
        record_access(
            request=request, action="profile.permissions_read", object_kind="profile", object_id=str(profile.uuid)
        )
        answers = list(answers_for(profile.pk))
        behind = [answer.decision.record_id for answer in answers if answer.decision.record_id]
        records = dict(ConsentRecord.objects.filter(pk__in=behind).values_list("pk", "uuid"))
        rows = [
            {
                "purpose_id": answer.purpose.slug,
                "channel": answer.channel,
                "state": answer.state.state if answer.state is not None else "",
                "allowed": answer.decision.allowed,
                "reason": answer.decision.reason,
                "reason_text": gate_text(answer.decision.reason),
                "record_id": records.get(answer.decision.record_id or 0),
            }
            for answer in answers
        ]
        return Response(DecisionSerializer(rows, many=True).data)
