"""How long the data of people and of collection is kept."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.retention import AgedRows, DataClass, KeptData, kept_data, retention
from profiles import aging
from profiles.exporting import jobs as exports
from profiles.importing import clearing


def register() -> None:
    """Say how long each kind of data is kept, and why the rest has no period."""
    for name, data in _classes().items():
        retention.add(name, data)
    for name, kept in _kept().items():
        kept_data.add(name, kept)


def _classes() -> dict[str, DataClass]:
    return {**_collected(), **_of_people(), **_of_imports(), **_of_exports()}


def _collected() -> dict[str, DataClass]:
    seen = AgedRows(table="profiles_seenmessage", time="received_at", key="key")
    rejected = AgedRows(table="profiles_rejectedmessage", time="received_at")
    refused = AgedRows(table="profiles_refusedrequest", time="last_at")
    left_out = AgedRows(table="profiles_leftoutvalue", time="last_at")
    return {
        "raw_bodies": DataClass(
            group="system",
            label=_("Messages as received"),
            what=_("What sites and servers sent, word for word, so that it can be read again after a mistake of ours."),
            remains=_("The events that were made of it stay."),
            holds=("profiles_rawmessage", "profiles_rawidentifier"),
            default_days=30,
            minimum_days=3,
            maximum_days=400,
            at_most="message_ids",
            remove=aging.remove_bodies,
            survey=aging.survey_bodies,
            atomic=False,
        ),
        "message_ids": DataClass(
            group="system",
            label=_("Ids of messages"),
            what=_("A digest of the id of every message. With it a message that is sent again counts once."),
            remains=_("Nothing. A message that is sent again after that counts twice."),
            holds=("profiles_seenmessage",),
            default_days=400,
            minimum_days=35,
            remove=seen.remove,
            survey=seen.survey,
            batch=10_000,
        ),
        "rejected_messages": DataClass(
            group="system",
            label=_("Rejected messages"),
            what=_("Messages that could not be stored, with their content and the reason."),
            remains=_("The counts of the source."),
            holds=("profiles_rejectedmessage",),
            default_days=90,
            minimum_days=7,
            maximum_days=400,
            remove=rejected.remove,
            survey=rejected.survey,
        ),
        "refused_requests": DataClass(
            group="system",
            label=_("Refused requests"),
            what=_(
                "How often senders with a wrong address or key knocked, counted by address and program. Nothing of "
                "what they sent, and no personal data."
            ),
            remains=_("Nothing."),
            holds=("profiles_refusedrequest",),
            default_days=14,
            minimum_days=1,
            maximum_days=400,
            remove=refused.remove,
            survey=refused.survey,
        ),
        "left_out_values": DataClass(
            group="system",
            label=_("Values left out of messages"),
            what=_("Which fields of a source's messages could not be stored, and how often. None of the values."),
            remains=_("Nothing."),
            holds=("profiles_leftoutvalue",),
            default_days=30,
            minimum_days=1,
            maximum_days=400,
            remove=left_out.remove,
            survey=left_out.survey,
        ),
        "source_counters": DataClass(
            group="system",
            label=_("Counts of sources by the hour"),
            what=_("How many messages each source sent in each hour. No personal data."),
            remains=_("The same counts by the month."),
            holds=("profiles_sourcecounter",),
            default_days=400,
            minimum_days=62,
            remove=aging.fold_counters,
            survey=aging.survey_counters,
        ),
    }


def _of_people() -> dict[str, DataClass]:
    changes = AgedRows(table="profiles_traitchange", time="at", by_key=True)
    gone = AgedRows(table="profiles_personchange", time="changed_at", key="profile_id", where="gone")
    return {
        "gone_people": DataClass(
            group="customers",
            label=_("People who are gone, in the change feed"),
            what=_(
                "Ids of people who were merged, erased or removed, so that other systems hear of it. No other data."
            ),
            remains=_("Nothing. A system that was away for longer has to begin anew."),
            holds=("profiles_personchange",),
            default_days=400,
            minimum_days=30,
            remove=gone.remove,
            survey=gone.survey,
        ),
        "interactions": DataClass(
            group="customers",
            label=_("Events"),
            what=_("What people did: visits, orders, clicks. Removed by the month."),
            remains=_("The person, and what was learned of them. Segments count what is left."),
            holds=("profiles_interaction",),
            default_days=None,
            minimum_days=395,
            may_keep=True,
            remove=aging.remove_interactions,
            survey=aging.survey_interactions,
            batch=500,
            atomic=False,
        ),
        "strangers": DataClass(
            group="customers",
            label=_("Visitors who never came back"),
            what=_(
                "People of whom only a device is known, not seen since. Who gave or refused a permission, or was sent "
                "something, is kept."
            ),
            remains=_("Nothing: not the person, nor the device, nor what was done with it."),
            holds=(),
            default_days=395,
            minimum_days=30,
            may_keep=True,
            remove=aging.remove_strangers,
            survey=aging.survey_strangers,
            batch=1_000,
        ),
        "trait_changes": DataClass(
            group="customers",
            label=_("History of traits"),
            what=_("What a trait of a person was before, what it became, and who said so."),
            remains=_("The value of today and where it came from."),
            holds=("profiles_traitchange",),
            default_days=1095,
            minimum_days=90,
            may_keep=True,
            remove=changes.remove,
            survey=changes.survey,
        ),
    }


def _of_imports() -> dict[str, DataClass]:
    return {
        "import_texts": DataClass(
            group="customers",
            label=_("Rejected rows of imports"),
            what=_(
                "The text of rows that came to nobody, after the import ended. An import that nobody went on with is "
                "cancelled and its file deleted."
            ),
            remains=_("How many rows were rejected, and why."),
            holds=(),
            default_days=30,
            minimum_days=1,
            maximum_days=400,
            at_most="import_rows",
            remove=clearing.clear_texts,
            survey=clearing.survey_texts,
        ),
        "import_rows": DataClass(
            group="customers",
            label=_("Rows of imports"),
            what=_("What each row of a file changed, after the import ended. It is what an undo needs."),
            remains=_("The import with its counts. It can no longer be undone."),
            holds=("profiles_importrow",),
            default_days=400,
            minimum_days=30,
            remove=clearing.remove_rows,
            survey=clearing.survey_rows,
        ),
        "import_files": DataClass(
            group="customers",
            label=_("Files left behind by uploads"),
            what=_("Files of uploads that broke off. The file of an import is deleted when the import ends."),
            remains=_("Nothing."),
            holds=("var:files",),
            default_days=7,
            minimum_days=1,
            maximum_days=30,
            remove=clearing.remove_files,
            survey=clearing.survey_files,
        ),
    }


def _of_exports() -> dict[str, DataClass]:
    return {
        "exports": DataClass(
            group="customers",
            label=_("Bulk exports"),
            what=_("Files that somebody asked for over the API, with who asked. Deleted early when anybody is erased."),
            remains=_("The line in the access log."),
            holds=("profiles_export", "var:exports"),
            default_days=exports.DEFAULT_DAYS,
            minimum_days=1,
            maximum_days=60,
            remove=exports.remove_exports,
            survey=exports.survey_exports,
            batch=100,
        ),
    }


def _kept() -> dict[str, KeptData]:
    return {
        "people": KeptData(
            group="customers",
            label=_("People"),
            why=_(
                "As long as the person is a customer: until they are erased or merged. An erased person leaves an "
                "empty row, so that the proof of what they allowed stays readable."
            ),
            holds=(
                "profiles_profile",
                "profiles_identifier",
                "profiles_identitylink",
                "profiles_heldlink",
                "profiles_merge",
            ),
        ),
        "imports": KeptData(
            group="customers",
            label=_("Imports"),
            why=_("One row a file, with its counts: where people came from and who brought them in."),
            holds=("profiles_import",),
        ),
        "sources": KeptData(
            group="system",
            label=_("Sources and kinds of identifier"),
            why=_("Settings: as long as they are used. What is stored refers to them."),
            holds=("profiles_source", "profiles_identifierkind"),
        ),
        "catalogue": KeptData(
            group="customers",
            label=_("Catalogue of traits and events"),
            why=_("Names, types and frequent values, a limited number of each, overwritten as values come in."),
            holds=("profiles_catalogueentry",),
        ),
        "inbox": KeptData(
            group="system",
            label=_("Waiting messages"),
            why=_("Queues: a row goes when its message is processed, or its change is in the feed, within seconds."),
            holds=("profiles_inbox", "profiles_changed"),
        ),
    }
