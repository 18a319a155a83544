"""Purposes and their words. Each change of a purpose is a new version of it; what it does to people is known before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cdp.common.access import record_access
from cdp.common.errors import CdpError
from consent.effects import Effect, effect_of, with_changes
from consent.models import Basis, Channel, ConsentRecord, ConsentText, ExpiryForecast, Purpose, PurposeVersion
from consent.policy.soft_opt_in import SoftOptIn
from consent.policy.terms import DECIDING, NECESSARY_BASES
from consent.services.entries import actor_label
from consent.services.sales import scan_sales
from consent.services.versions import add_version

EDITABLE = frozenset({"name", "description", "retention_days", *DECIDING})
#: a confirmed number that is off by no more than this part still stands: people come and go meanwhile
NEAR = 0.01
#: days without contact after which a permission may end
LEAST_DAYS, MOST_DAYS = 30, 3650


@transaction.atomic
def create_purpose(*, name: str, actor: Any = None, slug: str = "", **terms: Any) -> Purpose:
    """Define a purpose; its short name never changes afterwards. `terms` are fields of PurposeTerms."""
    short = slug or slugify(name)[:60]
    if not name.strip() or not short:
        raise CdpError("consent.no_name", _("Give the purpose a name."), place="name")
    _refuse_unknown(terms)
    purpose = Purpose(slug=short, name=name.strip(), **{"channels": [Channel.EMAIL], **terms})
    purpose.channels = [str(channel) for channel in purpose.channels]
    _let_go_of_sales(purpose)
    _check(purpose)
    if Purpose.objects.filter(slug=short).exists():
        raise CdpError("consent.name_taken", _("There is a purpose with this short name."), place="slug", status=409)
    purpose.save()
    # Where no yes is needed, the purpose reaches people from its first moment on: say so in its first version.
    asks = purpose.basis == Basis.CONSENT
    effect = Effect() if asks else effect_of(with_changes(purpose, {"active": False}), purpose)
    version = add_version(purpose, actor=actor, effect=effect.as_json())
    _note(purpose, None, version, actor)
    if purpose.basis == Basis.SOFT_OPT_IN:
        scan_sales(purpose)
    return purpose


@transaction.atomic
def update_purpose(
    *, purpose_id: int, changes: Mapping[str, Any], actor: Any = None, confirmed: int | None = None
) -> Purpose:
    """Lay down new terms for a purpose.

    `confirmed` is the number of people whom the change lets be reached, as its maker was shown it: a change that
    reaches anybody new is refused without it, and when the number is no longer that. What people were shown is in the
    purpose's texts, which do not change.
    """
    purpose = _locked(purpose_id)
    proposed = proposed_purpose(purpose, changes)
    if proposed.term_values() == purpose.term_values():
        return purpose
    deciding = decides(purpose, proposed)
    effect = effect_of(purpose, proposed) if deciding else Effect()
    _refuse_unconfirmed(effect, confirmed)
    before = purpose.current
    if proposed.retention_days != purpose.retention_days:
        ExpiryForecast.objects.filter(purpose=purpose).delete()  # it was counted for another period
    for name, value in proposed.term_values().items():
        setattr(purpose, name, value)
    version = add_version(purpose, actor=actor, effect=effect.as_json())
    _note(purpose, before, version, actor)
    if deciding and purpose.basis == Basis.SOFT_OPT_IN:
        scan_sales(purpose)
    return purpose


def proposed_purpose(purpose: Purpose, changes: Mapping[str, Any]) -> Purpose:
    """Return the purpose as it would be after a change, saving nothing; raise CdpError for one that may not be."""
    _refuse_unknown(changes)
    proposed = with_changes(purpose, changes)
    _let_go_of_sales(proposed)
    _check(proposed)
    if proposed.is_marketing != purpose.is_marketing and ConsentRecord.objects.filter(purpose=purpose).exists():
        raise CdpError(
            "consent.marketing_is_fixed",
            _(
                "People have answered this purpose as it is, so whether it is direct marketing cannot change. "
                "Define another purpose."
            ),
            place="is_marketing",
            status=409,
        )
    return proposed


def decides(purpose: Purpose, proposed: Purpose) -> bool:
    """Tell whether a change touches whom the purpose reaches."""
    return any(getattr(purpose, name) != getattr(proposed, name) for name in DECIDING)


def _refuse_unconfirmed(effect: Effect, confirmed: int | None) -> None:
    if not effect.gained:
        return
    if confirmed is not None and abs(confirmed - effect.gained) <= effect.gained * NEAR:
        return
    raise CdpError(
        "consent.widens",
        ngettext(
            "With this change %(count)s more person could be reached. Confirm it with that number.",
            "With this change %(count)s more people could be reached. Confirm it with that number.",
            effect.gained,
        )
        % {"count": effect.gained},
        place="confirm",
        status=409,
        detail={"gained": effect.gained, "lost": effect.lost, "channels": effect.as_json()},
    )


def _note(purpose: Purpose, before: PurposeVersion | None, after: PurposeVersion, actor: Any) -> None:
    """Put a change in the access log, which nobody can alter: by whom, when, what it was and what it is."""
    was, now = before.term_values() if before is not None else {}, after.term_values()
    changed = {name: [was.get(name), now[name]] for name in now if before is None or was[name] != now[name]}
    record_access(
        actor=getattr(actor, "user", actor) if not isinstance(actor, str) else None,
        action="purpose.changed" if before is not None else "purpose.defined",
        object_kind="purpose",
        object_id=purpose.slug,
        detail={"version": after.version, "changes": changed, "effect": after.effect},
    )


@transaction.atomic
def add_text(
    *, purpose_id: int, text: str, actor: Any, language: str = "en", version: int | None = None
) -> ConsentText:
    """Add a new version of the words; give `version` to add a translation of an existing one."""
    words = text.strip()
    if not words:
        raise CdpError("consent.no_words", _("Write the words that people see."), place="text")
    purpose = _locked(purpose_id)
    texts = ConsentText.objects.filter(purpose=purpose)
    last = texts.aggregate(last=Max("version"))["last"] or 0
    number = version or last + 1
    if not 1 <= number <= last + 1:
        raise CdpError("consent.no_such_version", _("There is no such version."), place="version")
    if texts.filter(version=number, language=language).exists():
        raise CdpError(
            "consent.version_taken", _("A version does not change: add a new one."), place="version", status=409
        )
    row = ConsentText.objects.create(
        purpose=purpose, version=number, language=language, text=words, created_by=actor_label(actor)
    )
    if number > purpose.text_version:
        before, purpose.text_version = purpose.current, number
        _note(purpose, before, add_version(purpose, actor=actor), actor)
    return row


def current_text(purpose: Purpose, language: str) -> ConsentText | None:
    """Return the latest words in a language, or in any if there are none in that one."""
    texts = list(ConsentText.objects.filter(purpose=purpose).order_by("-version"))
    return next((text for text in texts if text.language == language[:2]), texts[0] if texts else None)


def _locked(purpose_id: int) -> Purpose:
    purpose = Purpose.objects.select_for_update(of=("self",)).select_related("current").filter(pk=purpose_id).first()
    if purpose is None:
        raise CdpError("consent.unknown_purpose", _("There is no such purpose."), status=404)
    return purpose


def _let_go_of_sales(purpose: Purpose) -> None:
    """Keep the facts of soft opt-in only where the purpose rests on them."""
    if purpose.basis != Basis.SOFT_OPT_IN:
        purpose.soft_opt_in = {}


def _check_soft_opt_in(purpose: Purpose) -> None:
    try:
        facts = SoftOptIn.from_json(purpose.soft_opt_in)
    except TypeError:  # a name that is none of its fields
        facts = None
    missing = facts.missing() if facts is not None else "event"
    if missing:
        raise CdpError(
            "consent.soft_opt_in_incomplete",
            _(
                "Soft opt-in needs all its facts: which event is the sale, who sells, which own similar products the "
                "messages are about, and since when and how people can refuse at the sale."
            ),
            place=missing,
        )
    if not purpose.is_marketing:
        raise CdpError(
            "consent.soft_opt_in_is_marketing", _("Soft opt-in is a basis for direct marketing."), place="is_marketing"
        )


def _refuse_unknown(terms: Mapping[str, Any]) -> None:
    unknown = set(terms) - EDITABLE
    if unknown:
        raise CdpError("consent.not_editable", _("This cannot be changed."), place=", ".join(sorted(unknown)))


def _check(purpose: Purpose) -> None:
    channels: Sequence[str] = purpose.channels
    if not purpose.name.strip():
        raise CdpError("consent.no_name", _("Give the purpose a name."), place="name")
    if not channels or any(channel not in Channel.values for channel in channels):
        raise CdpError("consent.wrong_channel", _("Choose at least one channel."), place="channels")
    if purpose.basis not in Basis.values:
        raise CdpError("consent.wrong_basis", _("Choose a legal basis."), place="basis")
    if purpose.basis == Basis.SOFT_OPT_IN:
        _check_soft_opt_in(purpose)
    if purpose.basis in NECESSARY_BASES and purpose.is_marketing:
        raise CdpError(
            "consent.necessary_is_no_marketing",
            _(
                "What a contract or the law demands is not marketing. Untick “direct marketing”, or choose the basis "
                "that the marketing rests on."
            ),
            place="basis",
        )
    days = purpose.retention_days
    if days is not None and not LEAST_DAYS <= days <= MOST_DAYS:
        raise CdpError(
            "consent.wrong_period",
            _("Choose from %(least)s to %(most)s days, or leave it empty.") % {"least": LEAST_DAYS, "most": MOST_DAYS},
            place="retention_days",
        )
