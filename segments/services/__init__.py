"""What may be done to segments, and what may be asked before."""

from segments.services.lists import (
    add_found,
    add_imported,
    add_people,
    clear_list,
    copy_members,
    create_list,
    remove_people,
    replace_people,
    undo_entries,
)
from segments.services.previews import (
    TURN,
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
    "TURN",
    "add_found",
    "add_imported",
    "add_people",
    "clear_list",
    "copy_members",
    "create_list",
    "remove_people",
    "replace_people",
    "undo_entries",
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
