"""A reader that stands still is cut; one that reads, waits or was never sent anything is not."""

from __future__ import annotations

import contextlib
import socket
import sys
import time

import pytest

from cdp.web.connections import SEND_BUFFER, STALL_SECONDS, ConnectionWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux about its connections")


def pair(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(listener.getsockname())
    served, _address = listener.accept()
    served.setblocking(False)
    return served, reader


def fill(served: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            served.send(b"x" * 65536)


def test_only_a_reader_that_stands_still_is_cut() -> None:
    watch = ConnectionWatch(most=100)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watch.look(0)
        still, still_reader = pair(listener)
        brisk, brisk_reader = pair(listener)
        idle, idle_reader = pair(listener)
        assert still.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER
        fill(still)
        fill(brisk)
        assert watch.look(1) == 0
        taken = 0
        while taken < 30_000:  # more than the slowest rate
            taken += len(brisk_reader.recv(65536))
        time.sleep(0.2)
        assert watch.look(STALL_SECONDS) == 0
        assert watch.look(STALL_SECONDS + 2) == 1
        with pytest.raises(BrokenPipeError):
            still.send(b"x")
        idle.send(b"alive")
        assert idle_reader.recv(10) == b"alive"
        assert brisk_reader.recv(10)
        for one in (still, still_reader, brisk, brisk_reader, idle, idle_reader):
            one.close()


def test_the_silent_make_room_for_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdp.web.connections.SILENT_MS", 50)
    watch = ConnectionWatch(most=2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pairs = [pair(listener) for _ in range(4)]
        time.sleep(0.2)
        for _served, reader in pairs[2:]:
            reader.send(b"GET /")
        time.sleep(0.02)
        assert watch.look(1) == 2
        for number, (served, reader) in enumerate(pairs):
            with pytest.raises(BrokenPipeError) if number < 2 else contextlib.nullcontext():
                served.send(b"x")
            served.close()
            reader.close()
