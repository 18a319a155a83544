"""Make every call of a Python SDK (see tests/sdks/calls.py); they share one interface, so this is for all three."""

import importlib
import os
import sys
from datetime import datetime, timedelta
from typing import Any

sys.path[:0] = filter(None, [os.environ.get("PACKAGES")])
analytics: Any = importlib.import_module(os.environ["MODULE"])
failures: list[str] = []
analytics.write_key = os.environ["KEY"]
setattr(analytics, os.environ["HOST_FIELD"], os.environ["SITE"])
analytics.on_error = lambda error, batch: failures.append(str(error))

name, number = os.environ["NAME"], os.environ["ROUND"]
start = datetime.fromisoformat(os.environ["WHEN"])
user = f"{name}-user-{number}"


def common(seconds: int) -> dict[str, Any]:
    """Return what every call carries."""
    return {
        "timestamp": start + timedelta(seconds=seconds),
        "context": {"campaign": {"name": "spring"}},
        "integrations": {"All": True, "Elsewhere": False},
    }


analytics.identify(user, {"email": f"{user}@example.org", "plan": "pro"}, **common(0))
analytics.track(user, "Order Completed", {"order_id": f"o-{number}", "total": 89.5}, **common(1))
analytics.page(user, name="Home", properties={"path": f"/{number}"}, **common(2))
analytics.screen(user, name="Cart", properties={"lines": 2}, **common(3))
analytics.group(user, "acme", {"name": "Acme"}, **common(4))
analytics.alias(f"{name}-old-{number}", user, **common(5))
analytics.track(f"{name}-user-1", "Again", message_id=f"{name}-again")
for tick in range(10):
    analytics.track(user, f"Tick {tick}", **common(10 + tick))
analytics.flush()
sys.exit("\n".join(failures) or None)
