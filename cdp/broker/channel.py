"""kombu's `pgmq://` transport, with two things that ours must not do without."""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, pgmq
from psycopg import sql
from psycopg.types.json import Jsonb

#: as Celery writes "no arguments"; such a message is a mere wake-up
_NO_ARGUMENTS = frozenset({None, "", "()", "[]", "{}"})

#: One waiting wake-up of a task is enough: whoever takes it begins after this statement, and so sees all that was
#: committed before. Without this they would pile up while nobody takes them.
_SEND_UNLESS_WAITING = """
SELECT pgmq.send({name}, %(message)s, %(headers)s, 0) WHERE NOT EXISTS (
    SELECT FROM pgmq.{table} WHERE vt <= clock_timestamp() AND message -> 'headers' ->> 'task' = %(task)s
    AND coalesce(message -> 'headers' ->> 'argsrepr', '') IN ('', '()', '[]')
    AND coalesce(message -> 'headers' ->> 'kwargsrepr', '') IN ('', '{{}}')
)
"""


class Channel(pgmq.Channel):
    """A channel whose trouble with one message stays with that message."""

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Delete the message; free its place among the prefetched ones even when that fails.

        With kombu's own a few failed acknowledgements fill all places, and the worker never reads again. A message that
        stayed comes back after the visibility timeout: a wake-up too many.
        """
        try:
            super().basic_ack(delivery_tag, multiple=multiple)  # type: ignore[no-untyped-call]
        finally:
            self.qos.ack(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give the message back or delete it; free its place even when that fails."""
        try:
            super().basic_reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        finally:
            self.qos.ack(delivery_tag)

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        headers = message.get("headers") or {}
        if not _is_wake_up(headers):
            super()._put(queue, message, **kwargs)  # type: ignore[no-untyped-call]
            return
        name = self._queue_name(queue)
        statement = sql.SQL(_SEND_UNLESS_WAITING).format(name=sql.Literal(name), table=sql.Identifier(f"q_{name}"))
        values = {"message": Jsonb(message), "headers": Jsonb(headers), "task": headers["task"]}
        pool = self.pgmq.pool
        assert pool is not None  # it is None only after the client was closed
        with pool.connection() as connection:
            connection.execute(statement, values)


class Transport(pgmq.Transport):
    """The transport with our channel."""

    Channel = Channel


def register() -> None:
    """Let `pgmq://` mean this transport."""
    TRANSPORT_ALIASES["pgmq"] = f"{__name__}:Transport"


def _is_wake_up(headers: dict[str, Any]) -> bool:
    return (
        bool(headers.get("task"))
        and not headers.get("eta")
        and headers.get("argsrepr") in _NO_ARGUMENTS
        and headers.get("kwargsrepr") in _NO_ARGUMENTS
    )
