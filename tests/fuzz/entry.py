"""What is tried with every input: our server reads it, and an independent parser judges the reading."""

from conformance.corpus import ROWS
from conformance.oracle import judge
from conformance.reading import OurServer

_server = OurServer()


def one_input(data: bytes) -> None:
    """Read an input; its first byte says into pieces of how many bytes the others are cut, 0 for not at all.

    :raises AssertionError: our server reads a request where h11 reads none, or another one, or hangs.
    """
    sent = data[1:]
    size = (data[0] if data else 0) or len(sent) or 1
    judge(sent, _server.read(*[sent[at : at + size] for at in range(0, len(sent), size)]))


def seeds() -> list[bytes]:
    """Inputs to begin with: the corpus of the conformance suite, whole and cut."""
    return [cut + row.whole for row in ROWS if len(row.whole) < 2000 for cut in (b"\0", b"\7")]
