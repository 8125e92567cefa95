"""One request to a provider or whoever else is asked, ready to be written."""

from math import inf

import msgspec

from inference_gateway.server.transport.messages import Source
from inference_gateway.server.transport.origin import Origin


class Call(msgspec.Struct):
    """One request to a provider or whoever else is asked, ready to be written.

    Times are seconds; `expires_at` is a time of the loop's clock. `inf` is no bound.
    """

    origin: Origin
    head: bytes
    """Request line and fields, without framing and blank line."""
    body: bytes | Source | None
    """None is no body at all, which is not the same as an empty one."""
    length: int | None = None
    """Bytes that a source will give, None where unknown."""
    bodiless_answer: bool = False
    """HEAD: the answer has no body, whatever its fields say."""
    first_byte_timeout: float = inf
    """To the first byte of the body, where the answer has one."""
    idle_timeout: float = inf
    connect_timeout: float | None = None
    """None is the pool's own."""
    expires_at: float = inf
    asked: str = "the provider"
    """Who is asked, in the words of errors."""
    repeatable: bool = True
    """Whether it may be sent again where a kept connection died with it."""

    def framed_head(self) -> bytes:
        """Complete request head."""
        if self.body is None:
            return self.head + b"\r\n"
        if isinstance(self.body, bytes):
            return b"%bcontent-length: %d\r\n\r\n" % (self.head, len(self.body))
        if self.length is not None:
            return b"%bcontent-length: %d\r\n\r\n" % (self.head, self.length)
        return self.head + b"transfer-encoding: chunked\r\n\r\n"
