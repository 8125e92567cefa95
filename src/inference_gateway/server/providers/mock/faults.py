"""Every fault that the mock knows, as a field: its name, its bounds, its meaning. No I/O.

How a list of them is written is the business of `fault_grammar`; what it does to an answer, of `plan`.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

LONGEST: Final = 600.0
"""Seconds after which whatever waits or trickles is cut."""

Seconds = Annotated[float, Meta(ge=0, le=LONGEST)]
Events = Annotated[int, Meta(ge=0, le=1_000_000)]


def _says(description: str, *, bare: float | None = None) -> Meta:
    return Meta(description=description, extra=None if bare is None else {"bare": bare})


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """One list of faults; what is not named is as it should be. Times in seconds, sizes in bytes."""

    tokens: Annotated[int, Meta(ge=1, le=10_000), _says("Say so many words instead of the echo.")] | None = (
        None
    )
    latency: Annotated[Seconds, _says("Wait before the head of the answer.")] = 0.0
    first_token: Annotated[Seconds, _says("Send the head at once, then wait before the first event.")] = 0.0
    tokens_per_second: (
        Annotated[
            float,
            Meta(ge=0.1, le=100_000),
            _says("Send events at this pace; a plain answer takes as long before its head."),
        ]
        | None
    ) = None
    jitter: Annotated[
        float, Meta(ge=0, le=1), _says("Vary every wait by up to this share of it, up or down.")
    ] = 0.0
    seed: Annotated[
        int, Meta(ge=0, le=2**31), _says("What the jitter is drawn from; same seed, same waits.")
    ] = 0
    trickle: (
        Annotated[
            int,
            Meta(ge=1, le=1_000_000),
            _says("Send so many bytes per second, a few at a time."),
        ]
        | None
    ) = None
    status: (
        Annotated[
            int, Meta(ge=400, le=599), _says("Answer with this status and an error as OpenAI writes it.")
        ]
        | None
    ) = None
    retry_after: (
        Annotated[int, Meta(ge=0, le=3600), _says("Add a Retry-After of so many seconds.")] | None
    ) = None
    code: (
        Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}$"), _says("`code` and `type` of the error.")] | None
    ) = None
    no_prefill: Annotated[bool, _says("Answer 400 where the last message is the assistant's, else well.")] = (
        False
    )
    refuse: Annotated[bool, _says("Close the connection without an answer.")] = False
    reset: Annotated[bool, _says("Reset the connection without an answer.")] = False
    hang: Annotated[Seconds, _says("Send nothing for so long, then close.", bare=LONGEST)] | None = None
    headers_only: (
        Annotated[Seconds, _says("Send the head, then nothing for so long, then close.", bare=LONGEST)] | None
    ) = None
    cut_after_events: (
        Annotated[Events, _says("Close after so many events, in the middle of the next chunk.")] | None
    ) = None
    cut_after_bytes: (
        Annotated[
            int, Meta(ge=0, le=100_000_000), _says("Close after so many bytes of the body, wherever that is.")
        ]
        | None
    ) = None
    reset_after_events: Annotated[Events, _says("Reset the connection after so many events.")] | None = None
    end_after_events: (
        Annotated[Events, _says("End the body in order after so many events, as if that were all.")] | None
    ) = None
    stall_after_events: (
        Annotated[Events, _says("Send nothing more after so many events; `stall` says for how long.")] | None
    ) = None
    stall: Annotated[Seconds, _says("How long `stall_after_events` lasts before the connection closes.")] = (
        LONGEST
    )
    error_event: (
        Annotated[Events, _says("Send an error as an event after so many, and end the body in order.")] | None
    ) = None
    garbage: (
        Annotated[
            int, Meta(ge=1, le=1_000_000), _says("Send broken JSON in place of this event, the first is 1.")
        ]
        | None
    ) = None
    no_done: Annotated[bool, _says("Leave out `[DONE]`.")] = False
    double_done: Annotated[bool, _says("Send `[DONE]` twice.")] = False
    no_finish: Annotated[bool, _says("Leave out the `finish_reason`.")] = False
    finish_reason: (
        Annotated[
            Literal["stop", "length", "tool_calls", "content_filter"],
            _says("Give this reason for the end: `stop`, `length`, `tool_calls` or `content_filter`."),
        ]
        | None
    ) = None
    empty_choices: Annotated[
        bool, _says("Send an event without choices first; a plain answer has none at all.")
    ] = False
    usage_at_end: Annotated[bool, _says("Send the usage as the last event, asked for or not.")] = False
    huge_event: (
        Annotated[
            int,
            Meta(ge=1, le=1_500_000),
            _says("Say one word of so many bytes in one event.", bare=1_048_576),
        ]
        | None
    ) = None
    split: Annotated[bool, _says("Send every byte by itself.")] = False
    crlf: Annotated[bool, _says("End the lines of events with CR LF.")] = False
    gzip: Annotated[bool, _says("Compress the body, though nobody asked.")] = False
    chunked: Annotated[bool, _says("Send a plain body in chunks instead of with its length.")] = False
    content_type: (
        Annotated[
            str,
            Meta(pattern=r"^[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}$"),
            _says("Call the body this type."),
        ]
        | None
    ) = None
    fail_first: (
        Annotated[
            int,
            Meta(ge=1, le=1_000_000),
            _says("Do all this to the first so many calls only; alone, answer them with 503."),
        ]
        | None
    ) = None
    down_for: (
        Annotated[
            float,
            Meta(ge=0, le=3600),
            _says("Do all this for so many seconds from the first call; alone, answer 503 so long."),
        ]
        | None
    ) = None
    key: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$"),
        _says("Count calls under this name; else under the list itself."),
    ] = ""
    restart: Annotated[bool, _says("Forget earlier calls: this is the first.")] = False
