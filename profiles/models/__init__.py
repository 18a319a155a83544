"""The rows of the profiles app, a topic a file."""

from profiles.models.catalogue import CatalogueEntry
from profiles.models.collection import (
    InboxEntry,
    LeftOutValue,
    RawIdentifier,
    RawMessage,
    RefusedRequest,
    RejectedMessage,
    SeenMessage,
    SourceCounter,
)
from profiles.models.export import Export
from profiles.models.feed import ChangedPerson, PersonChange
from profiles.models.identity import HeldLink, Identifier, IdentifierKind, IdentityLink, Merge
from profiles.models.imports import Import, ImportRow
from profiles.models.interaction import Interaction
from profiles.models.profile import Profile, TraitChange
from profiles.models.source import Source

__all__ = [
    "CatalogueEntry",
    "ChangedPerson",
    "Export",
    "HeldLink",
    "Identifier",
    "IdentifierKind",
    "IdentityLink",
    "Import",
    "ImportRow",
    "InboxEntry",
    "LeftOutValue",
    "Interaction",
    "Merge",
    "PersonChange",
    "Profile",
    "RawIdentifier",
    "RawMessage",
    "RefusedRequest",
    "RejectedMessage",
    "SeenMessage",
    "Source",
    "SourceCounter",
    "TraitChange",
]
