"""The rows of this app."""

from campaigns.models.campaign import Campaign, CampaignKind, CampaignStatus
from campaigns.models.delivery import Delivery, Outcome, QueuePhase, SendQueue
from campaigns.models.message import BodyFormat, Message, MessageVersion

__all__ = [
    "BodyFormat",
    "Campaign",
    "CampaignKind",
    "CampaignStatus",
    "Delivery",
    "Message",
    "MessageVersion",
    "Outcome",
    "QueuePhase",
    "SendQueue",
]
