"""Streams: every view of them, their ends, good and bad, and what becomes of their connections."""

import asyncio
import gc
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from facade import Clients, wait_until
from hypothesis import given
from hypothesis import strategies as st

import inference_gateway as sdk
from fakes.loops import PATIENCE
from fakes.provider import DONE, STREAM, Call, FakeProvider, chunk
from inference_gateway.client.chat_events import ChatStreamReader, StreamItem

MESSAGES = [sdk.Message(role="user", content="x")]
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}\n\n'
TEXT = "cut \u2028 here \x85 é ☃ \U0001f600"
WHOLE = (
    chunk({"role": "assistant", "content": ""}),
    b"data: " + json.dumps(json.loads(chunk({"content": TEXT})[6:]), ensure_ascii=False).encode() + b"\n\n",
    chunk({"content": "!"}, "stop"),
    USAGE,
    DONE,
)
BYTES = b"".join(WHOLE)


def open_stream(client: Any, **options: Any) -> Any:
    return client.create_chat_completion_stream("m", MESSAGES, **options)


def sending(*events: bytes, end: bool = True) -> Callable[[Call], Any]:
    async def script(call: Call) -> None:
        await call.begin_stream([("x-request-id", "r-9")])
        for event in events:
            await call.piece(event)
        if end:
            await call.end_stream()
        else:
            call.close()

    return script


# ---- views ---------------------------------------------------------------------------------------------


@pytest.fixture
def whole(make_client: Clients, start_provider: Any) -> Any:
    return make_client(start_provider(sending(*WHOLE)).url)


def test_events_are_what_the_page_says(whole: Any) -> None:
    events = list(open_stream(whole))
    assert [event.event for event in events] == ["content-delta"] * 4
    assert json.loads(events[1].data)["choices"][0]["delta"]["content"] == TEXT
    assert all(isinstance(event, sdk.SSEvent) for event in events)


def test_chunks_are_typed(whole: Any) -> None:
    chunks = list(open_stream(whole).chunks())
    assert [piece.choices[0].delta.content for piece in chunks[:3]] == ["", TEXT, "!"]
    assert chunks[3].usage.total_tokens == 4


def test_the_text_is_a_view_of_its_own(whole: Any) -> None:
    assert list(open_stream(whole).text_stream) == [TEXT, "!"]


def test_everything_adds_up_to_one_completion(whole: Any) -> None:
    stream = open_stream(whole)
    completion = stream.get_final_completion()
    assert completion.choices[0].message.content.root == f"{TEXT}!"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == stream.usage.total_tokens == 4
    assert stream.get_final_text() == f"{TEXT}!"
    assert list(stream) == []


def test_views_go_on_where_another_stopped(whole: Any) -> None:
    with open_stream(whole) as stream:
        assert next(stream).data
        assert next(iter(stream.text_stream)) == TEXT
        assert stream.current_completion.choices[0].message.content.text == TEXT
        assert stream.get_final_text() == f"{TEXT}!"


def test_headers_and_request_id_are_known_when_the_stream_is_open(whole: Any) -> None:
    stream = open_stream(whole)
    assert (stream.request_id, dict(stream.response_headers)) == (None, {})
    with stream:
        assert stream.request_id == "r-9"
        assert stream.response_headers["Content-Type"] == "text/event-stream"


def test_the_request_goes_out_with_the_first_event(client: Any, provider: FakeProvider) -> None:
    stream = open_stream(client)
    assert provider.calls == []
    next(stream)
    assert provider.calls[0].json()["stream"] is True
    assert "text/event-stream" in provider.calls[0].headers["accept"]


def test_usage_is_not_asked_for_unless_the_caller_asks(client: Any, provider: FakeProvider) -> None:
    list(open_stream(client))
    list(open_stream(client, stream_options={"include_usage": True}))
    assert [call.json().get("stream_options") for call in provider.calls] == [None, {"include_usage": True}]


# ---- bytes ---------------------------------------------------------------------------------------------


def read(pieces: list[bytes]) -> list[StreamItem]:
    reader = ChatStreamReader()
    return [item for piece in pieces for item in reader.feed(piece)] + list(reader.finish())


@given(st.lists(st.integers(0, len(BYTES))))
def test_where_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(BYTES)]
    assert read([BYTES[a:b] for a, b in pairwise(edges)]) == read([BYTES])


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_lines_may_end_in_any_way(end: bytes, size: int) -> None:
    written = BYTES.replace(b"\n", end)
    assert read([written[at : at + size] for at in range(0, len(written), size)]) == read([BYTES])


def test_comments_ids_retries_and_keep_alives_are_no_data() -> None:
    noise = b"\xef\xbb\xbf: ping\n\nid: 7\nretry: 5\n" + WHOLE[0] + b"data:\n\ndata\n\n:\n\nretry: x\n\n"
    items = read([noise + b"".join(WHOLE[1:])])
    assert [item.event.data for item in items] == [item.event.data for item in read([BYTES])]
    assert (items[0].event.id, items[0].event.retry) == ("7", 5)


def test_data_may_have_several_lines_and_no_space() -> None:
    (item,) = read([b'event: message-start\ndata:{"choices":\ndata: []}\n\n' + DONE])
    assert item.event == sdk.SSEvent(event="message-start", data='{"choices":\n[]}')


def test_an_event_of_another_shape_is_passed_on_and_is_no_chunk() -> None:
    (item,) = read([b'event: x-progress\ndata: {"percent": 3}\n\n' + DONE])
    assert (item.event.event, item.event.data, item.chunk) == ("x-progress", '{"percent": 3}', None)


def test_the_last_event_may_lack_its_blank_line(make_client: Clients, start_provider: Any) -> None:
    for events in ((*STREAM[:-1], b"data: [DONE]"), (*STREAM[:-2], STREAM[-2].rstrip())):
        assert open_stream(make_client(start_provider(sending(*events)).url)).get_final_text() == "hi"


# ---- bad ends ------------------------------------------------------------------------------------------


def test_a_stream_that_ends_early_raises_wherever_it_is_cut() -> None:
    after_the_answer = len(b"".join(WHOLE[:3])) - len(b"\n\n")
    for length in range(len(BYTES)):
        reader = ChatStreamReader()
        list(reader.feed(BYTES[:length]))
        try:
            list(reader.finish())
        except sdk.IncompleteStreamError:
            assert not reader.ended
        else:
            # Only a whole answer may end without `[DONE]`.
            assert length >= after_the_answer
            assert reader.completion.text() == f"{TEXT}!"


@pytest.mark.parametrize("length", range(0, len(BYTES) - len(DONE), 61))
def test_a_connection_that_is_cut_raises_wherever_it_is(
    make_client: Clients, start_provider: Any, length: int
) -> None:
    stream = open_stream(make_client(start_provider(sending(BYTES[:length] or b":", end=False)).url))
    with pytest.raises(sdk.IncompleteStreamError):
        list(stream)
    for again in (lambda: list(stream), stream.get_final_completion, stream.get_final_text):
        with pytest.raises(sdk.IncompleteStreamError):
            again()


ERRORS = [
    (b'data: {"error": "overloaded"}\n\n', "overloaded"),
    (b'data: {"error": {"message": "overloaded", "code": 7}, "choices": []}\n\n', "overloaded"),
    (b'event: error\ndata: {"message": "overloaded"}\n\n', "overloaded"),
    (b'event: error\ndata: "overloaded"\n\n', "overloaded"),
    (b"data: <html>\n\n", "not JSON"),
    (b"data: 7\n\n", "not a JSON object"),
    (b'data: {"choices": [{"index": "x"}]}\n\n', "choices.0.index"),
]


@pytest.mark.parametrize(("event", "said"), ERRORS)
def test_an_error_in_mid_stream_is_raised_after_what_came_before(
    make_client: Clients, start_provider: Any, event: bytes, said: str
) -> None:
    # In one piece: what stands before the error must not be lost with it.
    stream = open_stream(make_client(start_provider(sending(WHOLE[0] + WHOLE[1] + event + DONE)).url))
    assert [next(stream).event, next(stream).event] == ["content-delta"] * 2
    with pytest.raises(sdk.StreamError, match=said) as caught:
        next(stream)
    assert str(caught.value).startswith("Request failed")
    assert (caught.value.status_code, caught.value.request_id) == (200, "r-9")
    with pytest.raises(sdk.StreamError):
        next(stream)


def test_an_event_without_end_is_not_held_for_ever() -> None:
    with pytest.raises(sdk.StreamError, match="larger than"):
        read([b"data: ", *[b"x" * (1 << 20)] * 20])


def test_silence_between_chunks_is_a_timeout(make_client: Clients, start_provider: Any) -> None:
    async def stall(call: Call) -> None:
        await call.begin_stream()
        await call.piece(STREAM[1])
        await call.client_gone()

    stream = open_stream(make_client(start_provider(stall).url, stream_idle_timeout=0.1))
    assert next(stream)
    with pytest.raises(sdk.InferenceGatewayTimeoutError):
        next(stream)


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_a_stream_may_be_longer_than_the_timeout_of_a_call(
    make_client: Clients, start_provider: Any, connection: str
) -> None:
    async def thoughtful(call: Call) -> None:
        await call.begin_stream([("connection", connection)])
        await call.piece(STREAM[1])
        await asyncio.sleep(0.3)
        await call.piece(STREAM[2] + DONE)
        await call.end_stream()

    client = make_client(start_provider(thoughtful).url, timeout=0.1, stream_idle_timeout=PATIENCE)
    assert open_stream(client).get_final_text() == "hi"


@pytest.mark.parametrize(
    "media_type", ["application/json", "text/html; charset=utf-8", "application/problem+json"]
)
def test_an_answer_that_is_no_stream_says_so(
    make_client: Clients, start_provider: Any, media_type: str
) -> None:
    async def script(call: Call) -> None:
        await call.raw(
            b"HTTP/1.1 200 X\r\ncontent-length: 2\r\ncontent-type: %b\r\n\r\n{}" % media_type.encode()
        )

    with pytest.raises(sdk.ResponseValidationError, match="asked for a stream") as caught:
        list(open_stream(make_client(start_provider(script).url)))
    assert caught.value.body == "{}"


# ---- connections ---------------------------------------------------------------------------------------


async def endless(call: Call) -> None:
    await call.begin_stream()
    while True:
        await call.piece(STREAM[1])


def test_closing_early_frees_the_connection(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(endless)
    with open_stream(make_client(provider.url)) as stream:
        assert next(stream)
    wait_until(lambda: provider.hung_up == 1)
    with pytest.raises(sdk.IncompleteStreamError, match="closed before its end"):
        next(stream)
    with pytest.raises(sdk.IncompleteStreamError):
        stream.get_final_completion()
    stream.close()


def test_closing_before_the_first_event_sends_nothing(client: Any, provider: FakeProvider) -> None:
    stream = open_stream(client)
    stream.close()
    with pytest.raises(sdk.IncompleteStreamError):
        next(stream)
    assert provider.calls == []


def test_entering_without_reading_frees_the_connection_too(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(endless)
    with open_stream(make_client(provider.url)):
        pass
    wait_until(lambda: provider.hung_up == 1)


@pytest.mark.parametrize("use_httpx", [False, True])
def test_breaking_out_of_the_pages_loop_frees_the_connection(start_provider: Any, use_httpx: bool) -> None:
    provider: FakeProvider = start_provider(endless)
    gc.disable()
    try:
        with sdk.InferenceGatewayClient(provider.url, use_httpx=use_httpx) as client:
            for _event in client.create_chat_completion_stream("m", MESSAGES):
                break
            # No cycle is left that only the collector would find.
            wait_until(lambda: provider.hung_up == 1)
    finally:
        gc.enable()


async def test_breaking_out_of_an_async_loop_frees_the_connection(start_provider: Any) -> None:
    provider: FakeProvider = start_provider(endless)
    async with sdk.AsyncInferenceGatewayClient(provider.url) as client:
        async for _event in client.create_chat_completion_stream("m", MESSAGES):
            break
        await asyncio.to_thread(wait_until, lambda: provider.hung_up == 1)


async def test_cancelling_frees_the_connection(start_provider: Any) -> None:
    provider: FakeProvider = start_provider(endless)
    async with sdk.AsyncInferenceGatewayClient(provider.url) as client:

        async def read_on() -> None:
            async with client.create_chat_completion_stream("m", MESSAGES) as stream:
                await stream.until_done()

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            task = group.create_task(read_on())
            await asyncio.to_thread(wait_until, lambda: bool(provider.calls))
            task.cancel()
            await asyncio.to_thread(wait_until, lambda: provider.hung_up == 1)


def test_done_ends_the_stream_though_the_connection_stays_open(
    make_client: Clients, start_provider: Any
) -> None:
    async def stay(call: Call) -> None:
        await call.begin_stream()
        await call.piece(b"".join(STREAM) + b"data: after the end\n\n")
        await call.client_gone()

    assert open_stream(make_client(start_provider(stay).url)).get_final_text() == "hi"
