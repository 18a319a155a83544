"""How long the history of segments is kept."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from cdp.common.retention import AgedRows, DataClass, KeptData, kept_data, retention


def register() -> None:
    """Say how long each kind of data is kept, and why the rest has no period."""
    changes = AgedRows(table="segments_membershipchange", time="at", by_key=True)
    retention.add(
        "membership_changes",
        DataClass(
            group="segments",
            label=_("History of segments"),
            what=_("Who came into a segment and who left it, and when."),
            remains=_("Who is in the segment today, and since when."),
            holds=("segments_membershipchange",),
            default_days=400,
            minimum_days=35,
            remove=changes.remove,
            survey=changes.survey,
            batch=10_000,
        ),
    )
    sizes = AgedRows(table="segments_segmentsize", time="day")
    retention.add(
        "segment_sizes",
        DataClass(
            group="segments",
            label=_("Sizes of segments by the day"),
            what=_("How many people were in each segment at the end of each day. No personal data."),
            remains=_("The size of today."),
            holds=("segments_segmentsize",),
            default_days=1095,
            minimum_days=35,
            remove=sizes.remove,
            survey=sizes.survey,
        ),
    )
    jobs = AgedRows(table="segments_listjob", time="created_at", by_key=True)
    retention.add(
        "list_jobs",
        DataClass(
            group="segments",
            label=_("Jobs that filled lists"),
            what=_("Who put how many people into which list at once, and when. What was searched for goes at its end."),
            remains=_("Who is in the list, and the history of it."),
            holds=("segments_listjob",),
            default_days=400,
            minimum_days=35,
            remove=jobs.remove,
            survey=jobs.survey,
        ),
    )
    kept_data.add(
        "segments",
        KeptData(
            group="segments",
            label=_("Segments and their rules"),
            why=_("Made by you. Every version of a rule stays: membership and campaigns name the one that held."),
            holds=("segments_segment", "segments_segmentversion"),
        ),
    )
    kept_data.add(
        "memberships",
        KeptData(
            group="segments",
            label=_("Who is in which segment"),
            why=_("Follows from the rules and from what was put in lists: a row goes when the person leaves."),
            holds=("segments_membership", "segments_listentry", "segments_touched"),
        ),
    )
