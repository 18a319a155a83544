"""`python -m bench.attackers <attack> <port> <connections> [path] [header ...]`: attack a web process on this machine.

Each connection is opened again when the other side closes it, for as long as the program runs. They come from many
addresses of the loopback network, as those of a real attack do; 127.0.0.1 is left to the people whose site it is.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections.abc import Awaitable, Callable

from bench.hostile import packed, shapes

MEBIBYTE = 1024 * 1024
Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


async def _connect(port: int, *, small: bool = False) -> tuple[Reader, Writer]:
    connection = socket.socket()
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.bind((f"127.0.{random.randrange(1, 250)}.{random.randrange(1, 250)}", 0))
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=connection, limit=4096)


def _head(method: str, path: str, port: int, headers: list[str], length: int | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


async def idle(port: int, path: str, headers: list[str]) -> None:
    """Say nothing."""
    reader, _writer = await _connect(port)
    await reader.read()


async def slow_headers(port: int, path: str, headers: list[str]) -> None:
    """Send a header now and then, without end."""
    _reader, writer = await _connect(port)
    writer.write(_head("GET", path, port, headers)[:-2])
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(2)


async def slow_body(port: int, path: str, headers: list[str]) -> None:
    """Send a byte of a body now and then."""
    _reader, writer = await _connect(port)
    form = [*headers, "Content-Type: application/x-www-form-urlencoded"]
    writer.write(_head("POST", path, port, form, 60_000))
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(2)


async def half_body(port: int, path: str, headers: list[str]) -> None:
    """Send four megabytes but for one byte, and wait."""
    reader, writer = await _connect(port)
    size = 4 * MEBIBYTE
    writer.write(_head("POST", path, port, headers, size))
    for _piece in range(size // 65536 - 1):
        writer.write(b" " * 65536)
        await writer.drain()
    await reader.read()


async def slow_reader(port: int, path: str, headers: list[str]) -> None:
    """Ask ten times on one connection, and never read."""
    _reader, writer = await _connect(port, small=True)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # every TCP transport has it
    writer.write(_head("GET", path, port, headers) * 10)
    while not writer.transport.is_closing():
        await asyncio.sleep(5)


async def upload(port: int, path: str, headers: list[str]) -> None:
    """Send a file of 400 MB as a form."""
    _reader, writer = await _connect(port)
    start = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    form = [*headers, "Content-Type: multipart/form-data; boundary=b"]
    writer.write(_head("POST", path, port, form, 400 * MEBIBYTE) + start)
    for _piece in range(400 * 16):
        writer.write(b"x" * 65536)
        await writer.drain()
    await asyncio.sleep(30)


_BODIES: list[bytes] = []


async def hostile(port: int, path: str, headers: list[str]) -> None:
    """Send the bodies that are dearest to read, one after the other."""
    if not _BODIES:
        _BODIES.extend(packed(body) for body in shapes(4 * MEBIBYTE - 1024).values())
    reader, writer = await _connect(port)
    for body in random.sample(_BODIES, len(_BODIES)):
        writer.write(_head("POST", path, port, [*headers, "Content-Encoding: gzip"], len(body)) + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))


ATTACKS: dict[str, Callable[[int, str, list[str]], Awaitable[None]]] = {
    attack.__name__: attack for attack in (idle, slow_headers, slow_body, half_body, slow_reader, upload, hostile)
}


async def _for_ever(name: str, port: int, path: str, headers: list[str]) -> None:
    while True:
        try:
            await ATTACKS[name](port, path, headers)
        except (OSError, EOFError, asyncio.IncompleteReadError, StopIteration):
            await asyncio.sleep(0.1)


async def _attack(name: str, port: int, connections: int, path: str, headers: list[str]) -> None:
    await asyncio.gather(*(_for_ever(name, port, path, headers) for _ in range(connections)))


if __name__ == "__main__":
    attack_name, port_text, count, *rest = sys.argv[1:]
    where, *more = rest or ["/"]
    asyncio.run(_attack(attack_name, int(port_text), int(count), where, more))
