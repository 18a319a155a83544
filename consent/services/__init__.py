"""Writes of the consent app; each is one transaction."""

from consent.services.entries import ConsentEntry
from consent.services.erasing import erase_person
from consent.services.objections import object_to_marketing, save_preferences
from consent.services.purposes import add_text, create_purpose, update_purpose
from consent.services.recording import record_consent, record_consents
from consent.services.sealing import seal_ledger
from consent.services.states import refresh_states
from consent.services.suppressing import find_suppressions, lift_suppression, suppress_address, suppress_identifiers
from consent.services.verifying import request_check, verify_ledger

__all__ = [
    "ConsentEntry",
    "add_text",
    "create_purpose",
    "erase_person",
    "find_suppressions",
    "lift_suppression",
    "object_to_marketing",
    "record_consent",
    "record_consents",
    "refresh_states",
    "request_check",
    "save_preferences",
    "seal_ledger",
    "suppress_address",
    "suppress_identifiers",
    "update_purpose",
    "verify_ledger",
]
