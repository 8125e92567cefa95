"""An HTTP proxy to give to `serving`: tunnels, forwards, asks for credentials. Every name is this machine."""

import asyncio
from base64 import b64encode

from fakes.upstream import Peer

WANTS_CREDENTIALS = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=x\r\n"
    b"connection: close\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<no>"
)


class FakeProxy:
    """Takes `CONNECT name:port` and `GET http://name:port/`, and goes to the port on 127.0.0.1.

    :param user: `user:password` that it wants, if any.
    """

    def __init__(self, user: str | None = None) -> None:
        self.heads: list[bytes] = []
        """Heads of the requests that it was sent itself."""
        self._wanted = b"basic " + b64encode(user.encode()) if user is not None else None

    async def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        head = await peer.head()
        self.heads.append(head)
        if self._wanted is not None and _field(head, b"proxy-authorization").lower() != self._wanted.lower():
            await peer.send(WANTS_CREDENTIALS)
            await peer.gone()
            return
        method, target, _ = head.split(b" ", 2)
        authority = target if method == b"CONNECT" else target.split(b"/", 3)[2]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(authority.rpartition(b":")[2]))
        try:
            async with asyncio.TaskGroup() as group:
                back = group.create_task(_copy(reader, peer.writer))
                if method == b"CONNECT":
                    await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await _copy(peer.reader, writer)
                else:
                    await self._forward(peer, writer, head)
                back.cancel()
        finally:
            writer.transport.abort()

    async def _forward(self, peer: Peer, writer: asyncio.StreamWriter, head: bytes) -> None:
        """Hand on the requests of one connection, all of them for one origin."""
        while head:
            method, target, rest = head.split(b" ", 2)
            writer.write(b"%b /%b %b" % (method, target.split(b"/", 3)[3], rest))
            writer.write(await peer.reader.readexactly(int(_field(head, b"content-length") or 0)))
            try:
                head = await peer.head()
            except asyncio.IncompleteReadError:
                return
            self.heads.append(head)


def _field(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()
