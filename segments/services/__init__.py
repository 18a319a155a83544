"""What may be done to segments, and what may be asked before."""

from segments.services.previews import (
    compare_with_saved,
    count_nodes,
    estimate_nodes,
    mailable,
    sample_people,
)
from segments.services.segments import (
    archive_segment,
    checked_rule,
    create_segment,
    duplicate_segment,
    rename_segment,
    update_rule,
    used_by,
)

__all__ = [
    "archive_segment",
    "checked_rule",
    "compare_with_saved",
    "count_nodes",
    "create_segment",
    "duplicate_segment",
    "estimate_nodes",
    "mailable",
    "rename_segment",
    "sample_people",
    "update_rule",
    "used_by",
]
