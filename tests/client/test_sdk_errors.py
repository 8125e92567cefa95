"""Answers with an error status, answers that are no answer, and no answer: each is its own error."""

import contextlib
import json
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from facade import Clients
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inference_gateway as sdk
from fakes.provider import Call, FakeProvider
from inference_gateway.client.errors import api_error

MESSAGES = [sdk.Message(role="user", content="x")]
Script = Callable[[Call], Awaitable[None]]


def answering(status: int, body: bytes, *headers: tuple[str, str]) -> Script:
    async def script(call: Call) -> None:
        await call.respond(status, body, headers)

    return script


async def hang_up(call: Call) -> None:
    call.close()


async def reset(call: Call) -> None:
    call.reset()


async def say_nothing(call: Call) -> None:
    await call.client_gone()


async def cut_the_body(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")
    call.close()


async def cut_the_chunks(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{")
    call.close()


async def stall_in_the_body(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")
    await call.client_gone()


async def drip(call: Call) -> None:
    """Send a byte often enough to seem alive, and never end."""
    await call.begin_stream()
    while True:
        await call.piece(b" " * 4096)


def complete(client: Any, **options: Any) -> Any:
    return client.create_chat_completion("m", MESSAGES, **options)


def stream(client: Any, **options: Any) -> Any:
    return list(client.create_chat_completion_stream("m", MESSAGES, **options))


CALLS: dict[str, Callable[[Any], Any]] = {
    "complete": complete,
    "stream": stream,
    "list_models": lambda client: client.list_models(),
    "proxy": lambda client: client.proxy_request("openai", "x", "POST", {}),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)

STATUSES = [
    (400, sdk.BadRequestError),
    (401, sdk.AuthenticationError),
    (403, sdk.PermissionDeniedError),
    (404, sdk.NotFoundError),
    (408, sdk.RequestTimeoutError),
    (409, sdk.ConflictError),
    (413, sdk.RequestTooLargeError),
    (418, sdk.InferenceGatewayAPIError),
    (422, sdk.UnprocessableEntityError),
    (429, sdk.RateLimitError),
    (500, sdk.InternalServerError),
    (502, sdk.BadGatewayError),
    (503, sdk.ServiceUnavailableError),
    (504, sdk.GatewayTimeoutError),
    (529, sdk.InternalServerError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_every_status_has_its_class(status: int, kind: type[sdk.InferenceGatewayAPIError]) -> None:
    error = api_error(status, {}, b'{"error": "no"}')
    assert type(error) is kind
    assert error.status_code == status
    assert str(error).startswith(f"Request failed: {status}")
    assert str(error).endswith(": no")


@every_call
def test_an_error_status_fills_the_error_on_every_kind_of_client(
    make_client: Clients, start_provider: Any, call: Callable[[Any], Any]
) -> None:
    body = {"error": {"message": "slow down", "type": "limit", "code": "rate", "param": "model"}}
    headers = [("X-Request-Id", "r-1"), ("Retry-After", "1.5")]
    client = make_client(start_provider(answering(429, json.dumps(body).encode(), *headers)).url)
    with pytest.raises(
        sdk.RateLimitError, match=r"^Request failed: 429 Too Many Requests: slow down$"
    ) as caught:
        call(client)
    error = caught.value
    assert (error.status_code, error.response_data, error.body) == (429, body, json.dumps(body))
    assert (error.request_id, error.retry_after) == ("r-1", 1.5)
    assert error.headers["X-Request-Id"] == "r-1"
    assert (error.type, error.code, error.param) == ("limit", "rate", "model")


@every_call
@pytest.mark.parametrize(
    "body", [b"", b"<html><h1>Bad gateway</h1></html>", b"oops", b"\xff\xfe", b"[1]", b"null"]
)
def test_a_502_is_a_502_whatever_its_body_is(
    make_client: Clients, start_provider: Any, call: Callable[[Any], Any], body: bytes
) -> None:
    client = make_client(start_provider(answering(502, body)).url)
    with pytest.raises(sdk.BadGatewayError) as caught:
        call(client)
    assert caught.value.status_code == 502
    assert caught.value.response_data == {}
    assert "<" not in str(caught.value)


def test_a_status_survives_the_loss_of_its_explanation(make_client: Clients, start_provider: Any) -> None:
    async def cut(call: Call) -> None:
        await call.raw(b"HTTP/1.1 503 X\r\ncontent-length: 99\r\n\r\n{")
        call.close()

    with pytest.raises(sdk.ServiceUnavailableError):
        complete(make_client(start_provider(cut).url))


@every_call
@pytest.mark.parametrize("script", [hang_up, reset, cut_the_body, cut_the_chunks])
def test_a_lost_connection_is_a_connection_error(
    make_client: Clients, start_provider: Any, call: Callable[[Any], Any], script: Script
) -> None:
    with pytest.raises((sdk.InferenceGatewayConnectionError, sdk.ResponseValidationError)) as caught:
        call(make_client(start_provider(script).url))
    assert isinstance(caught.value, sdk.InferenceGatewayConnectionError)
    assert str(caught.value).startswith("Request failed")
    assert caught.value.__cause__ is not None


@every_call
def test_nobody_there_is_a_connection_error(make_client: Clients, call: Callable[[Any], Any]) -> None:
    with pytest.raises(sdk.InferenceGatewayConnectionError, match=r"^Request failed"):
        call(make_client("http://127.0.0.1:1/v1"))


@every_call
def test_silence_is_a_timeout(make_client: Clients, start_provider: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(sdk.InferenceGatewayTimeoutError):
        call(make_client(start_provider(say_nothing).url, timeout=0.1))


@pytest.mark.parametrize("script", [stall_in_the_body, drip])
def test_an_answer_that_does_not_end_is_a_timeout(
    make_client: Clients, start_provider: Any, script: Script
) -> None:
    with pytest.raises(sdk.InferenceGatewayTimeoutError):
        complete(make_client(start_provider(script).url, timeout=0.2))


def test_the_timeout_of_a_call_goes_before_that_of_the_client(
    make_client: Clients, start_provider: Any
) -> None:
    client = make_client(start_provider(say_nothing).url, timeout=None)
    for timeout in (0.05, sdk.Timeout(read=0.05)):
        with pytest.raises(sdk.InferenceGatewayTimeoutError):
            complete(client, timeout=timeout)


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"{", b"[]", b"{}", b'{"choices": [{"index": "x"}]}']
)
def test_a_success_that_is_none_says_what_is_wrong_with_it(
    make_client: Clients, start_provider: Any, body: bytes
) -> None:
    client = make_client(start_provider(answering(200, body, ("x-request-id", "r"))).url)
    with pytest.raises(sdk.ResponseValidationError, match=r"^Response validation failed: 200: ") as caught:
        complete(client)
    assert caught.value.body == body.decode()
    assert caught.value.request_id == "r"


def test_a_wrong_field_of_an_answer_is_named(make_client: Clients, start_provider: Any) -> None:
    client = make_client(start_provider(answering(200, b'{"object": "list"}')).url)
    with pytest.raises(sdk.ResponseValidationError) as caught:
        client.list_models()
    assert caught.value.field == "data"


def test_a_redirect_is_followed_and_keeps_the_token_at_home(
    make_client: Clients, start_provider: Any
) -> None:
    elsewhere: FakeProvider = start_provider()
    moved = answering(
        307, b"", ("location", f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/chat/completions")
    )
    client = make_client(start_provider(moved).url, "secret")
    assert complete(client).choices[0].message.content == "hi"
    assert "authorization" not in elsewhere.calls[0].headers


def test_a_redirect_in_a_circle_is_a_connection_error(make_client: Clients, start_provider: Any) -> None:
    client = make_client(start_provider(answering(307, b"", ("location", "/v1/chat/completions"))).url)
    with pytest.raises(sdk.InferenceGatewayConnectionError):
        complete(client)


def test_the_tree_has_the_root_that_the_page_names() -> None:
    root = sdk.InferenceGatewayError
    errors = [
        getattr(sdk, name)
        for name in sdk.__all__
        if name.endswith("Error") and name not in {"Error", "FieldError"}
    ]
    assert all(issubclass(error, root) for error in errors)
    assert issubclass(sdk.InferenceGatewayTimeoutError, sdk.InferenceGatewayConnectionError)
    assert issubclass(sdk.IncompleteStreamError, sdk.InferenceGatewayConnectionError)
    assert issubclass(sdk.StreamError, sdk.InferenceGatewayAPIError)
    assert issubclass(sdk.ResponseValidationError, sdk.InferenceGatewayValidationError)
    assert issubclass(sdk.InferenceGatewayValidationError, ValueError)


def test_an_api_error_is_made_as_it_always_was() -> None:
    error = sdk.InferenceGatewayAPIError("Request failed: x", 404, {"error": "x"})
    assert (error.message, error.status_code, error.response_data) == (
        "Request failed: x",
        404,
        {"error": "x"},
    )
    assert (error.request_id, error.retry_after, error.code) == (None, None, None)
    assert sdk.InferenceGatewayAPIError("x").status_code == 0


def _sized(head: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(body), body)


ANYTHING = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda body: _sized(b"200 OK", body)),
    st.binary(max_size=40).map(lambda body: b"HTTP/1.1 200 OK\r\n\r\ndata: " + body),
    st.integers(100, 999).map(lambda status: _sized(b"%d X" % status, b"{}")),
    st.binary(max_size=20).map(lambda value: _sized(b"429 X\r\nretry-after: " + value, b"")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANYTHING)
def test_whatever_a_server_sends_nothing_else_escapes(
    make_client: Clients, provider: FakeProvider, answer: bytes
) -> None:
    async def script(call: Call) -> None:
        await call.raw(answer)
        call.close()

    provider.script = script
    client = make_client(provider.url, timeout=2)
    for call in (complete, stream, CALLS["proxy"]):
        with contextlib.suppress(sdk.InferenceGatewayError):
            call(client)


def test_errors_can_be_printed_and_compared_with_their_parts() -> None:
    error = sdk.InferenceGatewayValidationError("a: no", [sdk.FieldError("a", "no")])
    assert str(error) == "Request/response validation failed: a: no"
    assert error.errors == (("a", "no"),)
    assert sdk.InferenceGatewayValidationError("no").field == ""


@pytest.mark.parametrize(
    "error",
    [
        sdk.InferenceGatewayValidationError("a: no", [sdk.FieldError("a", "no")]),
        sdk.ResponseValidationError("no", status_code=201, body="x"),
        api_error(429, {"retry-after": "1"}, b'{"error": "no"}'),
        sdk.IncompleteStreamError("cut"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_to_another_process(error: Exception) -> None:
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied)) == (type(error), str(error))
    assert {**vars(copied), "_detail": None} == {**vars(error), "_detail": None}
