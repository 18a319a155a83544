"""Which address a channel uses."""

from __future__ import annotations

#: which kind of identifier a channel is addressed by
KIND_OF_CHANNEL = {"email": "email", "sms": "phone", "phone": "phone"}
