"""Tell a service manager how the service does. Reads no environment, and fails over nothing.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import logging
import socket
import time

logger = logging.getLogger("inference_gateway.systemd")


class Reports:
    """What a service manager wants to hear.

    :param address: of its datagram socket: a path, or `@name` in the abstract namespace; empty for none.
    """

    def __init__(self, address: str = "") -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """Tell that requests are served, at first or after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Tell that a reload begins; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that the end begins."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                # A manager that does not listen must not hold up the service.
                sender.setblocking(False)
                sender.sendto(text.encode("ascii"), self._address)
        except OSError as error:
            logger.warning("NOTIFY_SOCKET cannot be written to: %s", error)
