"""The capture mailbox's SMTP server, on loopback unless told otherwise.

`python -m cdp.mailbox.server --port 8025 --folder var/mailbox`
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from cdp.mailbox.store import MailStore

MAX_BYTES = 10 * 1024 * 1024
TRIM_EVERY = 1_000


class Capture:
    """Keep whatever is handed over."""

    def __init__(self, store: MailStore) -> None:
        self.store = store
        self.kept = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Write one mail to the box and accept it."""
        self.store.add(sender=envelope.mail_from or "", recipients=envelope.rcpt_tos, content=envelope.content)
        self.kept += 1
        if self.kept % TRIM_EVERY == 0:
            self.store.trim()
        return "250 2.0.0 captured"


async def serve(host: str, port: int, store: MailStore) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    capture = Capture(store)
    server = await loop.create_server(
        lambda: SMTP(capture, data_size_limit=MAX_BYTES, enable_SMTPUTF8=True, hostname="capture.localhost", loop=loop),
        host=host,
        port=port,
    )
    async with server:
        await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port, MailStore(arguments.folder)))


if __name__ == "__main__":
    main()
