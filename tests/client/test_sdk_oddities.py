"""What servers, networks and callers do that nobody expects: it raises what it should, and nothing else."""

import asyncio
import gc
import json
import os
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from facade import Clients, wait_until

import inference_gateway as sdk
from fakes.loops import PATIENCE
from fakes.provider import COMPLETION, DONE, STREAM, Call
from inference_gateway.sse import EventTooLarge, Parser

MESSAGES = [sdk.Message(role="user", content="x")]
Script = Callable[[Call], Awaitable[None]]


async def first_event_then_nothing(call: Call) -> None:
    await call.begin_stream()
    await call.piece(STREAM[1])
    await call.client_gone()


def sending(*events: bytes) -> Script:
    async def script(call: Call) -> None:
        await call.stream(events)

    return script


def redirecting(location: str) -> Script:
    async def script(call: Call) -> None:
        await call.respond(307, b"", [("location", location)])

    return script


# ---- streams that are left ------------------------------------------------------------------------------


async def test_a_stream_whose_reader_was_cancelled_does_not_pass_for_whole(start_provider: Any) -> None:
    provider = start_provider(first_event_then_nothing)
    async with sdk.AsyncInferenceGatewayClient(provider.url, retry=False) as client:
        stream = client.create_chat_completion_stream("m", MESSAGES)
        await anext(stream)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)
        with pytest.raises(sdk.IncompleteStreamError):
            await stream.get_final_completion()


@pytest.mark.parametrize("use_httpx", [False, True])
def test_a_stream_whose_reader_was_interrupted_does_not_pass_for_whole(
    start_provider: Any, use_httpx: bool
) -> None:
    streams: list[sdk.ChatCompletionStream] = []

    async def script(call: Call) -> None:
        await call.begin_stream()
        await call.piece(STREAM[1])
        while not streams or not streams[0]._awaited:  # noqa: ASYNC110  # another thread's doing
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        # A signal just before the reader waits does not wake it: a comment does.
        with suppress(ConnectionError):
            await call.piece(b":\n")
        await call.client_gone()

    with sdk.InferenceGatewayClient(start_provider(script).url, use_httpx=use_httpx, retry=False) as client:
        stream = client.create_chat_completion_stream("m", MESSAGES)
        next(stream)
        streams.append(stream)
        with pytest.raises(KeyboardInterrupt):
            next(stream)
        with pytest.raises(sdk.IncompleteStreamError):
            stream.get_final_completion()


@pytest.mark.parametrize("use_httpx", [False, True])
def test_another_thread_can_stop_a_stream_by_closing_it(start_provider: Any, use_httpx: bool) -> None:
    provider = start_provider(first_event_then_nothing)
    with (
        sdk.InferenceGatewayClient(provider.url, use_httpx=use_httpx, retry=False) as client,
        ThreadPoolExecutor(1) as threads,
        client.create_chat_completion_stream("m", MESSAGES) as stream,
    ):
        next(stream)
        reading = threads.submit(next, stream)
        wait_until(lambda: stream._awaited)
        stream.close()
        with pytest.raises(sdk.IncompleteStreamError, match="closed before its end"):
            reading.result(PATIENCE)


async def test_another_task_can_stop_a_stream_by_closing_it(start_provider: Any) -> None:
    provider = start_provider(first_event_then_nothing)
    async with sdk.AsyncInferenceGatewayClient(provider.url, retry=False) as client:
        stream = client.create_chat_completion_stream("m", MESSAGES)
        await anext(stream)
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await stream.close()
        with pytest.raises(sdk.IncompleteStreamError, match="closed before its end"):
            await reading


def test_bytes_that_were_left_early_do_not_pass_for_all(make_client: Clients, start_provider: Any) -> None:
    client = make_client(start_provider(first_event_then_nothing).url)
    stream = client.proxy_stream("openai", "x")
    next(stream)
    stream.close()
    with pytest.raises(sdk.IncompleteStreamError, match="closed before its end"):
        stream.read()


def test_bytes_that_were_read_to_the_end_may_be_closed(make_client: Clients, start_provider: Any) -> None:
    with make_client(start_provider(sending(b"one")).url).proxy_stream("openai", "x") as stream:
        assert stream.read() == b"one"
    assert stream.read() == b""


# ---- what streams say -----------------------------------------------------------------------------------


def test_a_retry_of_thousands_of_digits_is_no_time(make_client: Clients, start_provider: Any) -> None:
    script = sending(b"retry: " + b"9" * 5000 + b"\n", *STREAM)
    events = list(make_client(start_provider(script).url).create_chat_completion_stream("m", MESSAGES))
    assert events[0].retry is None


def test_lines_without_data_count_towards_the_size_of_an_event() -> None:
    parser = Parser(limit=100)
    list(parser.feed(b"data:\n" * 101))
    with pytest.raises(EventTooLarge):
        list(parser.feed(b"data:\n"))


def test_an_error_event_may_be_plain_text(make_client: Clients, start_provider: Any) -> None:
    script = sending(STREAM[1], b"event: error\ndata: overloaded\n\n")
    with pytest.raises(sdk.StreamError, match="overloaded"):
        list(make_client(start_provider(script).url).create_chat_completion_stream("m", MESSAGES))


def test_nulls_for_want_of_a_value_are_no_error(make_client: Clients, start_provider: Any) -> None:
    nulls = {"id": None, "object": None, "created": None, "model": None}
    pieces = [
        {**nulls, "choices": [{"index": None, "delta": {"content": "hi"}, "finish_reason": None}]},
        {**nulls, "choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]},
        {"created": 1.5, "choices": None, "usage": {"prompt_tokens": None, "total_tokens": 4}},
    ]
    script = sending(*[b"data: %b\n\n" % json.dumps(each).encode() for each in pieces], DONE)
    stream = make_client(start_provider(script).url).create_chat_completion_stream("m", MESSAGES)
    completion = stream.get_final_completion()
    assert completion.choices[0].message.content == "hi"
    assert completion.created == 1
    assert completion.usage.total_tokens == 4


def test_arguments_of_a_call_may_come_parsed(make_client: Clients, start_provider: Any) -> None:
    calls = [
        {"id": "a", "function": {"name": "f", "arguments": {"city": "Paris"}}},
        {"id": "b", "function": {"name": "g", "arguments": None}},
    ]
    choices = [{"index": 0, "message": {"role": "assistant", "tool_calls": calls}}]

    async def script(call: Call) -> None:
        await call.respond_json({**COMPLETION, "choices": choices})

    message = make_client(start_provider(script).url).create_chat_completion("m", MESSAGES).choices[0].message
    assert [call.function.arguments for call in message.tool_calls] == ['{"city":"Paris"}', ""]


def test_an_error_object_without_a_message_keeps_its_code(make_client: Clients, start_provider: Any) -> None:
    async def script(call: Call) -> None:
        await call.respond(400, b'{"error": {"message": null, "code": "c"}}')

    with pytest.raises(sdk.BadRequestError) as raised:
        make_client(start_provider(script).url).list_models()
    assert raised.value.code == "c"


# ---- where there is no answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["ftp://x/y", "http://[::1", "http://a..b/", "http://127.0.0.1:99999/"])
def test_a_redirect_that_leads_nowhere_is_a_lost_connection(
    make_client: Clients, start_provider: Any, location: str
) -> None:
    with pytest.raises(sdk.InferenceGatewayConnectionError):
        make_client(start_provider(redirecting(location)).url).list_models()


@pytest.mark.parametrize("host", ["a..b", "a" * 70])
def test_a_name_that_no_host_can_have_is_refused_at_once(make_client: Clients, host: str) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError, match="base_url"):
        make_client(f"http://{host}/v1")


def test_an_error_does_not_quote_the_query(make_client: Clients) -> None:
    with pytest.raises(sdk.InferenceGatewayConnectionError) as raised:
        make_client("http://127.0.0.1:1/v1", default_query={"key": "hidden"}).list_models()
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://[::1"])
def test_a_proxy_of_the_environment_that_cannot_be_used(
    make_client: Clients, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises((sdk.InferenceGatewayConnectionError, sdk.InferenceGatewayValidationError)):
        make_client("http://gateway.invalid/v1").list_models()


def test_certificates_of_the_environment_that_are_not_there(
    make_client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/nowhere/at/all")
    with pytest.raises((sdk.InferenceGatewayConnectionError, sdk.InferenceGatewayValidationError)):
        make_client("https://127.0.0.1:1/v1").list_models()


def test_a_closed_client_says_so(make_client: Clients, provider: Any) -> None:
    client = make_client(provider.url, retry=True)
    client.close()
    with pytest.raises(sdk.InferenceGatewayError, match="the client is closed"):
        client.list_models()
    assert client.health_check() is False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_event_loop_that_has_ended_costs_one_attempt(provider: Any) -> None:
    retry = sdk.RetryConfig(initial_backoff_sec=0.001)
    client = sdk.AsyncInferenceGatewayClient(provider.url, retry=retry)

    async def call() -> object:
        return await client.create_chat_completion("m", MESSAGES)

    first = asyncio.run(call())
    assert asyncio.run(call()) == first
    asyncio.run(client.close())
    # The library leaves sockets of the first loop open: let them be noticed here, and nowhere else.
    gc.collect()


# ---- what callers do --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e10, True, "3"])
def test_a_time_that_cannot_be_waited_is_refused(make_client: Clients, seconds: Any) -> None:
    for option in ("timeout", "stream_idle_timeout"):
        with pytest.raises(sdk.InferenceGatewayValidationError, match=option):
            make_client("http://127.0.0.1:1/v1", **{option: seconds})


def test_latin_1_is_taken_in_headers_and_tokens(make_client: Clients, provider: Any) -> None:
    client = make_client(provider.url, "café", default_headers={"X-Name": "José"})
    client.create_chat_completion("m", MESSAGES)
    assert provider.calls[0].headers["x-name"].encode("latin-1") in {"José".encode("latin-1"), b"Jos\xe9"}


@pytest.mark.parametrize("headers", [{"X(N": "a"}, {"X-N": "a\x0bb"}, {"X-N": "a\x01b"}, {"X-N": "☃"}])
def test_headers_that_one_library_would_refuse_are_refused_by_all(
    make_client: Clients, headers: dict[str, str]
) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError, match="default_headers"):
        make_client("http://127.0.0.1:1/v1", default_headers=headers)


def test_bytes_are_no_query_parameter(make_client: Clients) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError, match=r"default_query\.key"):
        make_client("http://127.0.0.1:1/v1", default_query={"key": b"abc"})


def test_zero_attempts_are_no_retries() -> None:
    assert sdk.InferenceGatewayClient("http://127.0.0.1:1/v1", retry=0).retry.enabled is False


def test_tools_go_on_where_a_request_failed(make_client: Clients, start_provider: Any) -> None:
    answers = [500, 200]

    async def script(call: Call) -> None:
        await call.respond_json(COMPLETION, answers.pop(0))

    runner = make_client(start_provider(script).url).run_tools("m", MESSAGES, [])
    with pytest.raises(sdk.InternalServerError):
        runner.until_done()
    assert runner.until_done().choices[0].message.content == COMPLETION["choices"][0]["message"]["content"]


def test_an_answer_that_stalls_late_is_given_up_in_time(start_provider: Any) -> None:
    async def script(call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
        await asyncio.sleep(0.15)
        await call.raw(b" ")
        await call.client_gone()

    started = asyncio.new_event_loop()
    with sdk.InferenceGatewayClient(start_provider(script).url, timeout=0.2, retry=False) as client:
        before = started.time()
        with pytest.raises(sdk.InferenceGatewayTimeoutError):
            client.list_models()
        assert started.time() - before < 0.34
    started.close()


def test_many_threads_share_the_connections_of_a_client(start_provider: Any, caplog: Any) -> None:
    waiting: list[Call] = []
    together = asyncio.Event()

    async def script(call: Call) -> None:
        waiting.append(call)
        if len(waiting) == 12:
            together.set()
        await together.wait()
        await call.respond_json(COMPLETION)

    with (
        sdk.InferenceGatewayClient(start_provider(script).url, retry=False) as client,
        ThreadPoolExecutor(12) as threads,
    ):
        list(threads.map(lambda _: client.create_chat_completion("m", MESSAGES), range(12)))
    assert not [record for record in caplog.records if "pool is full" in record.getMessage()]
