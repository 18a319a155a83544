"""The ledger over the REST API: read and append. There is no update and no delete, by design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cdp.common.access import record_look
from cdp.common.api_fields import StrictSerializer
from cdp.common.api_views import ApiViewSet
from cdp.common.errors import CdpError
from cdp.common.masking import reader_of
from consent.filters import RecordApiFilters
from consent.gate import check
from consent.models import Channel, ConsentRecord, ConsentText
from consent.models.ledger import Method, State
from consent.policy.states import GIVEN, OBJECTED
from consent.querysets.records import with_public_ids
from consent.services.recording import find_purpose, record_consent
from profiles.models import Profile
from profiles.querysets.lookup import get_person

API_METHODS = [Method.API, Method.FORM, Method.DOUBLE_OPT_IN, Method.PAPER, Method.PHONE, Method.MAIL]
#: what a person can say; the other states follow from rules of ours
SAYABLE = [State.GIVEN, State.REFUSED, State.WITHDRAWN, State.OBJECTED]


class ConsentRecordSerializer(serializers.ModelSerializer[ConsentRecord]):
    """A record with its wording and evidence. Rows come from `with_public_ids`."""

    id = serializers.UUIDField(source="uuid", read_only=True)
    profile_id = serializers.UUIDField(
        source="public_profile_id", read_only=True, allow_null=True, help_text="whose it is now; null once erased"
    )
    purpose_id = serializers.SlugField(source="purpose.slug", read_only=True)
    purpose_version = serializers.IntegerField(source="purpose_version.version", read_only=True)
    source_id = serializers.SlugField(source="source.slug", read_only=True, allow_null=True, default=None)
    actor = serializers.CharField(
        source="public_actor",
        read_only=True,
        help_text="subject, user:<name>, token:<id>, source:<id>, system:<rule>",
    )
    reference = serializers.CharField(
        source="public_reference", read_only=True, help_text="what it came with: message:<id>, import:<id>, delivery"
    )
    text = serializers.CharField(source="text.text", read_only=True, default="", help_text="the wording shown")
    text_version = serializers.IntegerField(source="text.version", read_only=True, allow_null=True, default=None)
    ends_all_marketing = serializers.SerializerMethodField()
    evidence = serializers.SerializerMethodField()

    class Meta:
        model = ConsentRecord
        fields = (
            "id",
            "profile_id",
            "purpose_id",
            "purpose_version",
            "channel",
            "state",
            "proof",
            "method",
            "actor",
            "source_id",
            "reference",
            "ends_all_marketing",
            "text",
            "text_version",
            "evidence",
            "occurred_at",
            "recorded_at",
            "position",
            "prev_hash",
            "hash",
        )
        read_only_fields = fields

    def get_ends_all_marketing(self, record: ConsentRecord) -> bool:
        """Tell whether it is an objection to marketing, which ends all of it whatever the purpose."""
        return record.state == OBJECTED and record.purpose.is_marketing

    def get_evidence(self, record: ConsentRecord) -> dict[str, Any] | None:
        """Return the personal part; null when there is none, or it was erased."""
        evidence = getattr(record, "evidence", None)
        return reader_of(self.context["request"]).context(evidence.payload) if evidence is not None else None


class RecordInput(StrictSerializer):
    """What a person said."""

    profile_id = serializers.CharField(max_length=400, help_text="the person: an id, or `kind:value`")
    purpose_id = serializers.CharField(max_length=60, help_text="the purpose's id, its short name")
    channel = serializers.ChoiceField(choices=Channel.choices, default=Channel.EMAIL)
    state = serializers.ChoiceField(choices=[(item.value, item.label) for item in SAYABLE])
    method = serializers.ChoiceField(choices=[(item.value, item.label) for item in API_METHODS], default=Method.API)
    text_version = serializers.IntegerField(min_value=1, required=False, help_text="version of the words shown")
    language = serializers.CharField(max_length=10, default="en")
    evidence = serializers.DictField(
        required=False, default=dict, help_text="page_url, ip, ...; `proof` says how a permission is known"
    )
    occurred_at = serializers.CharField(
        max_length=40, required=False, help_text="ISO 8601 with a zone; now when absent"
    )


class ConsentRecordViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet[ConsentRecord]):
    """Read the consent log; append to it."""

    queryset = ConsentRecord.objects.select_related("purpose", "purpose_version", "text", "source", "evidence")
    serializer_class = ConsentRecordSerializer
    filterset_class = RecordApiFilters
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    required_permissions: ClassVar[dict[str, str]] = {
        "list": "consent.view_consentrecord",
        "retrieve": "consent.view_consentrecord",
        "create": "consent.add_consentrecord",
    }

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return records, newest first; noted in the access log."""
        page: Sequence[Any] = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        shown = with_public_ids(page)
        people = [row.public_profile_id for row in shown]  # type: ignore[attr-defined]  # set by with_public_ids
        record_look(request, "consent.log_read", people, even_nobody=True)
        return self.get_paginated_response(
            ConsentRecordSerializer(shown, many=True, context=self.get_serializer_context()).data
        )

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one record; noted in the access log."""
        record = self.get_object()
        shown = with_public_ids([record])[0]
        record_look(
            request, "consent.log_read", [shown.public_profile_id],  # type: ignore[attr-defined]
            object_kind="consentrecord", object_id=str(record.uuid), even_nobody=True,
        )  # fmt: skip
        return Response(ConsentRecordSerializer(shown, context=self.get_serializer_context()).data)

    @extend_schema(request=RecordInput, responses={201: ConsentRecordSerializer})
    def create(self, request: Request) -> Response:
        """Record what a person said. A permission needs words (`text_version`) or `evidence.proof`.

        `objected` to one marketing purpose ends all direct marketing to the person (GDPR art. 21(3)); to stop one
        purpose, give `withdrawn`.

        Whatever the method, it is kept as a claim of the token: only pages of ours see people themselves.
        """
        form = RecordInput(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        person = get_person(data["profile_id"], reader=request.user, place="profile_id")
        purpose = find_purpose(data["purpose_id"])
        text = _text(purpose.pk, data.get("text_version"), data["language"])
        occurred_at = _moment(data.get("occurred_at"))
        evidence = {key: value for key, value in data["evidence"].items() if isinstance(key, str)}
        if data["state"] == GIVEN and text is None and not evidence.get("proof"):
            raise CdpError(
                "consent.no_proof",
                _(
                    "A permission needs a proof: name the words that were shown (text_version), "
                    "or say how it is known (evidence.proof)."
                ),
                place="evidence",
            )
        if data["state"] == GIVEN and purpose.is_marketing:
            _refuse_over_objection(person, purpose.pk, data["channel"], data["method"])
        record = record_consent(
            profile_id=person.pk,
            purpose=purpose,
            channel=data["channel"],
            state=data["state"],
            method=data["method"],
            actor=request.auth or request.user,
            text=text,
            evidence=evidence,
            occurred_at=occurred_at,
        )
        return Response(
            ConsentRecordSerializer(with_public_ids([record])[0], context=self.get_serializer_context()).data,
            status=201,
        )


def _refuse_over_objection(person: Profile, purpose_id: int, channel: str, method: str) -> None:
    """Let only what the person said themselves, on a form, follow an objection by way of the API."""
    decision = check(profile_ids=[person.pk], purpose_id=purpose_id, channel=channel)[person.pk]
    if decision.reason == OBJECTED and method not in (Method.FORM, Method.DOUBLE_OPT_IN, Method.PAPER, Method.MAIL):
        raise CdpError(
            "consent.objected",
            _(
                "The person objected to direct marketing. Only a new permission by themselves ends that: "
                "give the method (form, double_opt_in, paper or mail) and its proof."
            ),
            place="state",
            status=409,
        )


def _text(purpose_id: int, version: int | None, language: str) -> ConsentText | None:
    if version is None:
        return None
    texts = list(ConsentText.objects.filter(purpose_id=purpose_id, version=version))
    found = next((text for text in texts if text.language == language), texts[0] if texts else None)
    if found is None:
        raise CdpError(
            "consent.no_such_version", _("There is no such version of the words."), place="text_version", status=404
        )
    return found


def _moment(text: str | None) -> Any:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CdpError(
            "consent.bad_time", _("Write the time as 2026-05-31T12:00:00Z, with a zone."), place="occurred_at"
        )
    return moment
