"""What it costs to judge a chat stream: `python -m benchmarks.chat_stream`, microseconds per event.

Events arrive one by one, as tokens do; in the second column, sixteen at a time, as they pile up under load.
"""

import json
import time

from inference_gateway.server.chat_stream import DONE, ChatStream
from inference_gateway.server.outcome import Outcome

TOKENS = 2000
ROUNDS = 25
FRAME = {"id": "chatcmpl-BxT0PqH2aWz", "object": "chat.completion.chunk", "created": 1752566400, "model": "m"}


def events(**more: object) -> list[bytes]:
    """Write a stream with these fields beside the content of each event."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"content": " token"}, None)] * TOKENS
    return [
        b"data: %b\n\n"
        % json.dumps(
            {**FRAME, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}
        ).encode()
        for delta, reason in [*deltas, ({}, "stop")]
    ]


def cost(pieces: list[bytes], count: int) -> float:
    """Microseconds per event, the best of some rounds: the rest is the machine's."""
    best = float("inf")
    for _ in range(ROUNDS):
        stream = ChatStream()
        feed = stream.feed
        begun = time.perf_counter()
        for piece in pieces:
            feed(piece)
        best = min(best, time.perf_counter() - begun)
        assert stream.outcome is Outcome.COMPLETE
    return best / count * 1e6


def main() -> None:
    """Print a table."""
    streams = {
        "plain": events(),
        "with usage: null, a fingerprint and padding": events(
            usage=None, system_fingerprint="fp_07871e2ad8", obfuscation="kQ3xYz"
        ),
        "1 kB per event": events(padding="x" * 800),
        "CRLF, as few write it": [event.replace(b"\n", b"\r\n") for event in events()],
    }
    print(f"{'events':45} {'one by one':>12} {'by sixteen':>12}   (us per event)")
    for name, written in streams.items():
        whole = [*written, DONE]
        joined = [b"".join(whole[at : at + 16]) for at in range(0, len(whole), 16)]
        print(f"{name:45} {cost(whole, len(whole)):12.2f} {cost(joined, len(whole)):12.2f}")


if __name__ == "__main__":
    main()
