"""When a call is tried again, after how long, and when it is not."""

import asyncio
import email.utils
import math
from collections.abc import Callable
from typing import Any

import pytest
from facade import Clients
from hypothesis import given
from hypothesis import strategies as st

import inference_gateway as sdk
from fakes.provider import COMPLETION, STREAM, Call, FakeProvider
from inference_gateway.client.errors import api_error
from inference_gateway.client.exchange import AsyncExchange, Exchange
from inference_gateway.client.options import ClientOptions
from inference_gateway.client.request import RequestBuilder
from inference_gateway.client.retry import RETRYABLE_STATUS_CODES, Attempts
from inference_gateway.client.retry_after import retry_after
from inference_gateway.client.transport import async_transport, sync_transport

MESSAGES = [sdk.Message(role="user", content="x")]
NOW = 1_700_000_000.0
LOST = sdk.InferenceGatewayConnectionError("lost")


def delays(
    config: sdk.RetryConfig, *errors: sdk.InferenceGatewayError, chance: float = 0.0
) -> list[float | None]:
    attempts = Attempts(config, chance=lambda: chance)
    return [attempts.delay_after(error) for error in errors]


def status(code: int, **headers: str) -> sdk.InferenceGatewayAPIError:
    return api_error(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


# ---- how long ------------------------------------------------------------------------------------------


def test_waits_double_up_to_the_longest() -> None:
    config = sdk.RetryConfig(max_attempts=6)
    assert delays(config, *[status(500)] * 6) == [2, 4, 8, 16, 30, None]


def test_three_attempts_are_made_unless_told_otherwise() -> None:
    assert delays(sdk.RetryConfig(), *[LOST] * 3) == [2, 4, None]
    assert delays(sdk.RetryConfig(enabled=False), LOST) == [None]
    assert delays(sdk.RetryConfig(max_attempts=1), LOST) == [None]


def test_a_zero_is_the_default_but_for_the_jitter() -> None:
    zeros = sdk.RetryConfig(
        max_attempts=0, initial_backoff_sec=0, max_backoff_sec=0, backoff_multiplier=0, max_retry_after_sec=0
    )
    assert zeros == sdk.RetryConfig()
    assert sdk.RetryConfig(jitter=0).jitter == 0


def test_jitter_shortens_and_never_lengthens() -> None:
    assert delays(sdk.RetryConfig(), LOST, chance=1.0) == [1.5]
    assert delays(sdk.RetryConfig.exact(), LOST, chance=1.0) == [2]


@given(st.floats(0, 1), st.integers(1, 5000))
def test_a_wait_is_always_within_its_bounds(chance: float, attempt: int) -> None:
    config = sdk.RetryConfig(max_attempts=10_000)
    attempts = Attempts(config, chance=lambda: chance)
    attempts.made = attempt - 1
    delay = attempts.delay_after(LOST)
    assert delay is not None
    assert 1.5 <= delay <= 30


# ---- which errors --------------------------------------------------------------------------------------


def test_the_table_of_statuses() -> None:
    retried = {code for code in range(400, 600) if delays(sdk.RetryConfig(), status(code)) != [None]}
    assert retried == RETRYABLE_STATUS_CODES == {408, 429, 500, 502, 503, 504}


def test_given_statuses_replace_the_table() -> None:
    config = sdk.RetryConfig(retryable_status_codes=(429, 503))
    assert delays(config, status(500)) == [None]
    assert delays(config, status(503)) == [2]


def test_lost_connections_and_timeouts_are_tried_again_and_wrong_arguments_are_not() -> None:
    assert delays(sdk.RetryConfig(), sdk.InferenceGatewayTimeoutError("t")) == [2]
    assert delays(sdk.RetryConfig(), sdk.InferenceGatewayValidationError("v")) == [None]
    assert delays(sdk.RetryConfig(), sdk.InferenceGatewayError("e")) == [None]


def test_the_server_may_overrule_the_table() -> None:
    assert delays(sdk.RetryConfig(), status(503, x_should_retry="false")) == [None]
    assert delays(sdk.RetryConfig(), status(400, x_should_retry="true")) == [2]
    deaf = sdk.RetryConfig(honor_should_retry_header=False)
    assert delays(deaf, status(503, x_should_retry="false")) == [2]


# ---- Retry-After ---------------------------------------------------------------------------------------


def date(offset: float) -> str:
    return email.utils.formatdate(NOW + offset, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1.5", 1.5), ("0", 0.0), ("120", 120.0), (date(30), 30.0), (date(-30), None),
        ("", None), ("1m", None), ("-1", None), ("nan", None), ("inf", None), ("1e3", None), ("soon", None),
        ("\u0663", None), ("9" * 400, None), ("Mon, 99 Foo 2020", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, now=NOW) == seconds


@given(st.text())
def test_no_retry_after_is_a_surprise(value: str) -> None:
    read = retry_after({"retry-after": value, "retry-after-ms": value})
    assert read is None or (read >= 0 and math.isfinite(read))


def test_milliseconds_go_before_seconds() -> None:
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert retry_after({"retry-after-ms": "x", "retry-after": "9"}) == 9


def test_the_server_says_how_long_on_429_and_503_only() -> None:
    config = sdk.RetryConfig()
    assert delays(config, status(429, retry_after="1.5"), chance=1.0) == [1.5]
    assert delays(config, status(503, retry_after="7")) == [7]
    assert delays(config, status(500, retry_after="7")) == [2]
    assert delays(sdk.RetryConfig.exact(), status(503, retry_after="7")) == [2]


def test_a_server_that_asks_for_too_long_is_not_tried_again() -> None:
    assert delays(sdk.RetryConfig(), status(429, retry_after="121")) == [None]
    assert delays(sdk.RetryConfig.exact(), status(429, retry_after="999")) == [999]


# ---- short forms ---------------------------------------------------------------------------------------


def test_the_short_forms() -> None:
    of = sdk.RetryConfig.of
    assert of(None) == of(True) == sdk.RetryConfig()
    assert of(False) == sdk.RetryConfig(enabled=False)
    assert of(5) == sdk.RetryConfig(max_attempts=5)
    assert of(config := sdk.RetryConfig(jitter=0)) is config


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: sdk.RetryConfig(max_attempts=-1), "retry.max_attempts"),
        (lambda: sdk.RetryConfig(max_attempts=1.5), "retry.max_attempts"),  # type: ignore[arg-type]
        (lambda: sdk.RetryConfig(initial_backoff_sec=math.nan), "retry.initial_backoff_sec"),
        (lambda: sdk.RetryConfig(jitter=2), "retry.jitter"),
        (lambda: sdk.RetryConfig.of("twice"), "retry"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_configuration_is_named(make: Callable[[], object], field: str) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError) as caught:
        make()
    assert caught.value.field == field


# ---- over the wire -------------------------------------------------------------------------------------


def failing_first(*failures: Any) -> Callable[[Call], Any]:
    """Answer with one failure after the other, then well."""
    left = list(failures)

    async def script(call: Call) -> None:
        failure = left.pop(0) if left else None
        if failure == "reset":
            call.reset()
        elif failure is not None:
            await call.respond_json({"error": "no"}, failure)
        elif call.body and call.json().get("stream"):
            await call.stream()
        else:
            await call.respond_json(COMPLETION)

    return script


QUICK = sdk.RetryConfig(initial_backoff_sec=0.001)


@pytest.mark.parametrize("failures", [(500, 500), ("reset", 429), (503, "reset")])
@pytest.mark.parametrize("streamed", [False, True])
def test_two_failures_and_a_success_are_three_calls_with_one_key(
    make_client: Clients, start_provider: Any, failures: Any, streamed: bool
) -> None:
    provider: FakeProvider = start_provider(failing_first(*failures))
    client = make_client(provider.url, retry=QUICK)
    if streamed:
        assert client.create_chat_completion_stream("m", MESSAGES).get_final_text() == "hi"
    else:
        assert client.create_chat_completion("m", MESSAGES).choices[0].message.content == "hi"
    assert len(provider.calls) == 3
    assert len({call.headers["idempotency-key"] for call in provider.calls}) == 1
    assert len({call.body for call in provider.calls}) == 1


def test_on_retry_hears_of_every_wait_before_it_begins(make_client: Clients, start_provider: Any) -> None:
    heard: list[tuple[int, int, float]] = []

    def on_retry(attempt: int, error: sdk.InferenceGatewayError, delay: float) -> None:
        assert isinstance(error, sdk.InferenceGatewayAPIError)
        heard.append((attempt, error.status_code, delay))

    provider = start_provider(failing_first(500, 503))
    config = sdk.RetryConfig(initial_backoff_sec=0.001, jitter=0, on_retry=on_retry)
    make_client(provider.url, retry=config).create_chat_completion("m", MESSAGES)
    assert heard == [(1, 500, 0.001), (2, 503, 0.002)]


def test_what_on_retry_raises_ends_the_call(make_client: Clients, start_provider: Any) -> None:
    def on_retry(*_: object) -> None:
        raise KeyError("enough")

    provider = start_provider(failing_first(500))
    with pytest.raises(KeyError):
        make_client(provider.url, retry=sdk.RetryConfig(on_retry=on_retry)).list_models()
    assert len(provider.calls) == 1


def test_the_last_failure_is_the_one_that_is_raised(make_client: Clients, start_provider: Any) -> None:
    provider = start_provider(failing_first(500, 502, 503, 504))
    with pytest.raises(sdk.ServiceUnavailableError):
        make_client(provider.url, retry=QUICK).create_chat_completion("m", MESSAGES)
    assert len(provider.calls) == 3


@pytest.mark.parametrize("retry", [False, 1])
def test_once_is_once(make_client: Clients, start_provider: Any, retry: Any) -> None:
    provider = start_provider(failing_first(500))
    with pytest.raises(sdk.InternalServerError):
        make_client(provider.url, retry=retry).create_chat_completion("m", MESSAGES)
    assert len(provider.calls) == 1


def test_a_client_error_is_not_tried_again(make_client: Clients, start_provider: Any) -> None:
    provider = start_provider(failing_first(400))
    with pytest.raises(sdk.BadRequestError):
        make_client(provider.url, retry=QUICK).create_chat_completion("m", MESSAGES)
    assert len(provider.calls) == 1


def test_nothing_is_tried_again_after_the_first_byte(make_client: Clients, start_provider: Any) -> None:
    async def cut(call: Call) -> None:
        if call.json().get("stream"):
            await call.begin_stream()
            await call.piece(STREAM[1])
        else:
            await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
        call.close()

    provider = start_provider(cut)
    client = make_client(provider.url, retry=QUICK)
    with pytest.raises(sdk.InferenceGatewayConnectionError):
        client.create_chat_completion("m", MESSAGES)
    with pytest.raises(sdk.IncompleteStreamError):
        list(client.create_chat_completion_stream("m", MESSAGES))
    assert len(provider.calls) == 2


def test_a_health_check_is_tried_once(make_client: Clients, start_provider: Any) -> None:
    provider = start_provider(failing_first(500))
    assert make_client(provider.url, retry=QUICK).health_check() is False
    assert len(provider.calls) == 1


def test_a_get_has_no_idempotency_key_and_a_given_key_is_kept(client: Any, provider: FakeProvider) -> None:
    client.list_models()
    client.create_chat_completion("m", MESSAGES, idempotency_key="mine")
    assert [call.headers.get("idempotency-key") for call in provider.calls] == [None, "mine"]


def test_the_exchange_sleeps_as_long_as_it_was_told(start_provider: Any) -> None:
    slept: list[float] = []
    options = ClientOptions(
        base_url=start_provider(failing_first(500, 500)).url, retry=sdk.RetryConfig(jitter=0)
    )
    transport = sync_transport(None, use_httpx=False, token=None)
    exchange = Exchange(transport, options, sleep=slept.append)
    call = RequestBuilder(options).models(None, None, {})
    assert exchange.fetch(call).status_code == 200
    assert slept == [2, 4]
    transport.close()


async def test_the_async_exchange_sleeps_as_long_as_it_was_told(start_provider: Any) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    options = ClientOptions(
        base_url=start_provider(failing_first(500, 500)).url, retry=sdk.RetryConfig(jitter=0)
    )
    transport = async_transport(None, token=None)
    call = RequestBuilder(options).models(None, None, {})
    assert (await AsyncExchange(transport, options, sleep=sleep).fetch(call)).status_code == 200
    assert slept == [2, 4]
    await transport.close()
