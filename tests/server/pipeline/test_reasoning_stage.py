"""`reasoning_format` over sockets: done here, or by the provider that understands it."""

import json
from collections.abc import Callable

import pytest

from fakes.chats import body, stream
from fakes.gateway import FakeGateway
from fakes.provider import DONE, Call, FakeProvider, Script, chunk

Start = Callable[..., FakeGateway]


def completion(**message: object) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return json.dumps({"id": "x", "choices": [choice], "big": 10**30, "usage": None}).encode()


INLINE = completion(content="<think>why</think>because")
FIELD = completion(content="because", reasoning_content="why")


def answering(answer: bytes) -> Script:
    async def script(call: Call) -> None:
        await call.respond(200, answer)

    return script


@pytest.mark.parametrize("answer", [INLINE, FIELD])
@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("parsed", {"content": "because", "reasoning_content": "why", "reasoning": "why"}),
        ("raw", {"content": "<think>why</think>because"}),
        ("hidden", {"content": "because"}),
    ],
)
def test_the_gateway_puts_the_reasoning_where_it_is_wanted(
    gateway: FakeGateway, provider: FakeProvider, answer: bytes, wanted: str, message: dict[str, str]
) -> None:
    provider.script = answering(answer)
    reply = gateway.chat(body(reasoning_format=wanted))
    assert reply.status == 200
    assert reply.json()["choices"][0]["message"] == {"role": "assistant", **message}
    assert reply.json()["big"] == 10**30
    assert "reasoning_format" not in provider.calls[0].json()


@pytest.mark.parametrize("answer", [INLINE, FIELD, INLINE.replace(b":", b" :  ")])
@pytest.mark.parametrize("wish", [{}, {"reasoning_format": None}])
def test_without_a_wish_the_answer_stays_byte_for_byte(
    gateway: FakeGateway, provider: FakeProvider, answer: bytes, wish: dict[str, None]
) -> None:
    provider.script = answering(answer)
    assert gateway.chat(body(**wish)).body == answer
    assert "reasoning_format" not in provider.calls[0].json()


@pytest.mark.parametrize("wanted", ["parsed", "raw", "hidden", "of their own"])
def test_groq_does_it_itself(start_gateway: Start, provider: FakeProvider, wanted: str) -> None:
    provider.script = answering(INLINE)
    gateway = start_gateway(GROQ_API_KEY="k", GROQ_API_URL=provider.url)
    request = body("groq/m", reasoning_format=wanted)
    assert gateway.chat(request).body == INLINE
    assert provider.calls[0].body == request.replace(b"groq/m", b"m")


@pytest.mark.parametrize(("model", "wish"), [("groq/m", {"reasoning_format": "hidden"}), ("openai/m", {})])
def test_a_stream_stays_byte_for_byte_where_the_gateway_is_not_asked(
    start_gateway: Start, provider: FakeProvider, model: str, wish: dict[str, str]
) -> None:
    async def script(call: Call) -> None:
        await call.stream(THOUGHT)

    provider.script = script
    gateway = start_gateway(
        GROQ_API_KEY="k", GROQ_API_URL=provider.url, OPENAI_API_KEY="k", OPENAI_API_URL=provider.url
    )
    assert stream(gateway, body(model, stream=True, **wish)).events == b"".join(THOUGHT)


def test_an_error_of_the_provider_is_not_looked_into(gateway: FakeGateway, provider: FakeProvider) -> None:
    async def script(call: Call) -> None:
        await call.respond(429, INLINE)

    provider.script = script
    reply = gateway.chat(body(reasoning_format="hidden"))
    assert (reply.status, reply.body) == (429, INLINE)


@pytest.mark.parametrize(
    "answer", [b'{"choices": [], "n": 1e999}', b'{"choices": ' + b"[" * 975 + b"]" * 975 + b"}"]
)
def test_an_answer_that_cannot_be_decoded_is_never_an_accident(
    gateway: FakeGateway, provider: FakeProvider, answer: bytes
) -> None:
    provider.script = answering(answer)
    assert gateway.chat(body()).body == answer
    reply = gateway.chat(body(reasoning_format="parsed"))
    assert (reply.status, reply.body) == (200, answer)


HALF = b'"\\ud83d"'


@pytest.mark.parametrize("wanted", ["parsed", "raw", "hidden"])
def test_half_a_surrogate_pair_is_converted_around(
    gateway: FakeGateway, provider: FakeProvider, wanted: str
) -> None:
    provider.script = answering(INLINE.replace(b'"because"', HALF).replace(b'"x"', HALF))
    reply = gateway.chat(body(reasoning_format=wanted))
    assert reply.status == 200
    assert reply.json()["id"] == "\ud83d"
    [choice] = reply.json()["choices"]
    assert ("why" in choice["message"]["content"]) is (wanted == "raw")


THOUGHT = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "<thi"}),
    chunk({"content": "nk>why</thin"}),
    chunk({"content": "k>because"}),
    chunk({}, "stop"),
    DONE,
)


def deltas(events: bytes, name: str) -> str:
    """Join what the deltas of a stream say under this name."""
    lines = events.removesuffix(DONE).removesuffix(b"\n\n").split(b"\n\n")
    chunks = [json.loads(line.removeprefix(b"data: ")) for line in lines]
    return "".join(c["choices"][0]["delta"].get(name) or "" for c in chunks)


@pytest.mark.parametrize(
    ("wanted", "reasoning", "content"),
    [("parsed", "why", "because"), ("raw", "", "<think>why</think>because"), ("hidden", "", "because")],
)
@pytest.mark.parametrize("together", [False, True])
def test_streams_are_converted_as_well(
    gateway: FakeGateway, provider: FakeProvider, wanted: str, reasoning: str, content: str, together: bool
) -> None:
    async def script(call: Call) -> None:
        await call.stream([b"".join(THOUGHT)] if together else THOUGHT)

    provider.script = script
    got = stream(gateway, body(stream=True, reasoning_format=wanted))
    assert got.whole
    assert got.events.endswith(DONE)
    assert deltas(got.events, "reasoning_content") == reasoning
    assert deltas(got.events, "content") == content
    assert "reasoning_format" not in provider.calls[0].json()


@pytest.mark.parametrize("wanted", ["parsed", "raw", "hidden"])
def test_a_converted_stream_that_breaks_off_says_so(
    gateway: FakeGateway, provider: FakeProvider, wanted: str
) -> None:
    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(b"".join(THOUGHT[:3]))
        call.close()

    provider.script = script
    got = stream(gateway, body(stream=True, reasoning_format=wanted))
    assert got.error
    assert DONE not in got.events
    assert not got.whole


@pytest.mark.parametrize(
    "odd",
    [
        b'data: {"choices": [], "n": 1e999}\n\n',
        b'data: {"x": ' + b"[" * 980 + b"]" * 980 + b"}\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": [7]}\n\n',
    ],
    ids=["number", "deep", "list", "choice"],
)
def test_an_odd_event_in_a_converted_stream_is_never_an_accident(
    gateway: FakeGateway, provider: FakeProvider, odd: bytes
) -> None:
    async def script(call: Call) -> None:
        await call.stream([THOUGHT[0], odd, *THOUGHT[1:]])

    provider.script = script
    got = stream(gateway, body(stream=True, reasoning_format="parsed"))
    assert got.whole
    assert got.events.endswith(DONE)
    assert odd in got.events


def test_half_a_surrogate_pair_does_not_end_a_converted_stream(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    halves = [chunk({"content": half}) for half in ("\ud83d", "\ude00")]
    thought = chunk({"content": "", "reasoning_content": "\ud83d"})

    async def script(call: Call) -> None:
        await call.stream([THOUGHT[0], thought, *halves, *THOUGHT[-2:]])

    provider.script = script
    for wanted, said in (("raw", "<think>\ud83d</think>\ud83d\ude00"), ("hidden", "\ud83d\ude00")):
        got = stream(gateway, body(stream=True, reasoning_format=wanted))
        assert got.whole
        assert deltas(got.events, "content") == said


def test_an_error_event_passes_through_a_conversion(gateway: FakeGateway, provider: FakeProvider) -> None:
    told = b'data: {"error": {"message": "overloaded"}}\n\n'

    async def script(call: Call) -> None:
        await call.stream([THOUGHT[0], told, DONE])

    provider.script = script
    got = stream(gateway, body(stream=True, reasoning_format="hidden"))
    assert got.events.endswith(told)
    assert not got.whole
