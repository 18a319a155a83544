"""What lists do when an import is undone: whom it put in goes out again."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from profiles.importing.targets import Undoer, UndoStep
from segments.services import undo_entries


def take_out(import_id: int, _actor: Any, after: int, limit: int) -> UndoStep:
    """Take out the next of those whom the import put in lists."""
    people, last = undo_entries(reference=f"import:{import_id}", after=after, limit=limit)
    return UndoStep(people=people, counts={"listed": len(people)} if people else {}, next=last)


lists_undoer = Undoer(undo=take_out, count_labels={"listed": _("people taken out of lists again")})
