"""What no HTTP library offers: to wake a thread that waits for more of an answer."""

import socket
from contextlib import suppress


def break_connection(connection: object) -> None:
    """Have whoever waits for this socket read the end of the stream. To close it would not wake them.

    :param connection: what a library has for a socket; nothing is done if it is none.
    """
    if isinstance(connection, socket.socket):
        with suppress(OSError):
            # Not the method of a TLS socket, which would take its state away from under that thread.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
