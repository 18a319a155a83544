"""The rows of the consent app, a topic a file."""

from consent.models.check import LedgerCheck
from consent.models.erasure import Erasure
from consent.models.ledger import (
    ConsentChain,
    ConsentEvidence,
    ConsentRecord,
    ConsentState,
    LedgerSeal,
)
from consent.models.purpose import (
    Basis,
    Channel,
    ConsentText,
    ExpiryForecast,
    Purpose,
    PurposeTerms,
    PurposeVersion,
    SaleScan,
)
from consent.models.suppression import Suppression, SuppressionKey, SuppressionReason

__all__ = [
    "Basis",
    "Channel",
    "ConsentChain",
    "ConsentEvidence",
    "ConsentRecord",
    "ConsentState",
    "ConsentText",
    "Erasure",
    "ExpiryForecast",
    "LedgerCheck",
    "LedgerSeal",
    "Purpose",
    "PurposeTerms",
    "PurposeVersion",
    "SaleScan",
    "Suppression",
    "SuppressionKey",
    "SuppressionReason",
]
