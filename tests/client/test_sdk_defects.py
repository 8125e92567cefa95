"""What an SDK of this kind got wrong before, each done right: one test per defect.

Statuses and bodies of errors, cut and silent streams, the SSE parser and the root URLs have tests of their
own beside this one; here they are held once more, as a user met them.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from facade import Clients, wait_until

import inference_gateway as sdk
from fakes.provider import COMPLETION, DONE, STREAM, Call, FakeProvider, chunk

MESSAGES = [sdk.Message(role="user", content="x")]


def replying(answer: object) -> Any:
    async def script(call: Call) -> None:
        await call.respond_json(answer)

    return script


def with_message(**message: object) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "tool_calls"}
    return {**COMPLETION, "choices": [choice]}


def streaming(*events: bytes) -> Any:
    async def script(call: Call) -> None:
        await call.stream(events)

    return script


def refusing(status: int) -> Any:
    async def script(call: Call) -> None:
        await call.respond_json({"error": "no"}, status)

    return script


def complete(client: Any, **options: Any) -> Any:
    return client.create_chat_completion("m", MESSAGES, **options)


def chunks(client: Any, **options: Any) -> list[Any]:
    return list(client.create_chat_completion_stream("m", MESSAGES, **options).chunks())


# ---- errors and streams --------------------------------------------------------------------------------


def test_01_the_status_and_body_of_an_error_are_not_lost(make_client: Clients, start_provider: Any) -> None:
    with pytest.raises(sdk.InferenceGatewayAPIError) as caught:
        complete(make_client(start_provider(refusing(404)).url))
    assert (caught.value.status_code, caught.value.response_data) == (404, {"error": "no"})


def test_02_a_stream_does_not_wait_for_ever(make_client: Clients, start_provider: Any) -> None:
    async def silent(call: Call) -> None:
        await call.client_gone()

    with pytest.raises(sdk.InferenceGatewayTimeoutError):
        chunks(make_client(start_provider(silent).url, timeout=0.05))


def test_03_the_error_of_a_stream_has_status_and_body(make_client: Clients, start_provider: Any) -> None:
    with pytest.raises(sdk.InferenceGatewayAPIError) as caught:
        chunks(make_client(start_provider(refusing(401)).url))
    assert (caught.value.status_code, caught.value.response_data) == (401, {"error": "no"})


def test_04_a_stream_without_connection_is_an_error_of_the_sdk(make_client: Clients) -> None:
    with pytest.raises(sdk.InferenceGatewayError):
        chunks(make_client("http://127.0.0.1:1/v1"))


def test_05_06_health_and_proxy_are_not_below_the_version(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(replying({"message": "OK"}))
    client = make_client(provider.url)
    assert client.health().message == "OK"
    client.proxy_request("openai", "x")
    assert [call.target for call in provider.calls] == ["/health", "/proxy/openai/x"]


def test_07_close_closes_the_connections(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(replying(COMPLETION))
    client = make_client(provider.url)
    complete(client)
    complete(client)
    assert (provider.connections, provider.hung_up) == (1, 0)
    client.close()
    wait_until(lambda: provider.hung_up == 1)


def test_09_comments_ids_and_unknown_names_are_no_data(make_client: Clients, start_provider: Any) -> None:
    first = b": ping\n\nid: 1\nretry: 3\nevent: x-new\ndata:" + STREAM[0][6:]
    client = make_client(start_provider(streaming(first, *STREAM[1:])).url)
    events = list(client.create_chat_completion_stream("m", MESSAGES))
    assert [event.event for event in events] == ["x-new", "content-delta", "content-delta"]
    assert all(json.loads(event.data) for event in events)


def test_10_separators_of_unicode_end_no_line(make_client: Clients, start_provider: Any) -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    raw = b'data: {"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n'
    event = raw % json.dumps(text, ensure_ascii=False).strip('"').encode()
    client = make_client(start_provider(streaming(event, *STREAM[2:])).url)
    assert client.create_chat_completion_stream("m", MESSAGES).get_final_text() == text


def test_12_a_schema_is_sent_under_its_name(client: Any, provider: FakeProvider) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    complete(client, response_format=form)
    assert provider.calls[0].json()["response_format"] == form


def test_13_defaults_are_not_sent(client: Any, provider: FakeProvider) -> None:
    tool = sdk.ChatCompletionTool(type="function", function=sdk.FunctionObject(name="f"))
    image = sdk.ImageContentPart(type="image_url", image_url=sdk.ImageURL(url="https://x.example/i.png"))
    client.create_chat_completion("m", [sdk.Message(role="user", content=[image])], tools=[tool])
    body = provider.calls[0].json()
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]
    (part,) = body["messages"][0]["content"]
    assert part == {"type": "image_url", "image_url": {"url": "https://x.example/i.png"}}


def test_14_unknown_keywords_are_sent(client: Any, provider: FakeProvider) -> None:
    complete(client, service_tier="flex", never_heard_of={"a": 1})
    body = provider.calls[0].json()
    assert (body["service_tier"], body["never_heard_of"]) == ("flex", {"a": 1})


# ---- what servers send ---------------------------------------------------------------------------------

PIECE = {"index": 0, "function": {"arguments": "{}"}}


@pytest.mark.parametrize(
    "event",
    [
        chunk({"content": "a"}, None),
        chunk({}, "stop"),
        chunk({"tool_calls": [PIECE]}),
        chunk({"role": None, "content": None, "tool_calls": None}),
        chunk({"content": "a"}, "brand_new_reason"),
        b'data: {"choices": [], "usage": {"prompt_tokens": 1}}\n\n',
    ],
    ids=["15-no-reason-yet", "16-empty-delta", "17-arguments-only", "nulls", "20-new-reason", "usage-only"],
)
def test_15_to_17_a_chunk_as_servers_send_it_is_read(
    make_client: Clients, start_provider: Any, event: bytes
) -> None:
    read = chunks(make_client(start_provider(streaming(event, STREAM[2], DONE)).url))
    assert len(read) == 2


def test_18_content_may_be_null(make_client: Clients, start_provider: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    client = make_client(start_provider(replying(with_message(content=None, tool_calls=[call]))).url)
    message = complete(client).choices[0].message
    assert message.content.root is None
    assert message.tool_calls[0].function.name == "f"


def test_19_parts_of_log_probabilities_may_be_null(make_client: Clients, start_provider: Any) -> None:
    answer = with_message(content="x")
    token = {"token": "x", "logprob": -1, "bytes": None, "top_logprobs": []}
    answer["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    logprobs = complete(make_client(start_provider(replying(answer)).url)).choices[0].logprobs
    assert (logprobs.content[0].token, logprobs.refusal) == ("x", None)


def test_20_a_new_provider_or_reason_breaks_nothing(make_client: Clients, start_provider: Any) -> None:
    answer = {"object": "list", "data": [{"id": "n/m", "served_by": "newcomer"}]}
    (model,) = make_client(start_provider(replying(answer)).url).list_models().data
    assert (model.served_by.root, model.served_by.is_known) == ("newcomer", False)


def test_21_what_a_server_adds_survives_the_way_there_and_back(
    make_client: Clients, start_provider: Any
) -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "s", "k": 1}, "other": [2]},
    }
    sent = {"role": "assistant", "content": "x", "annotations": [{"a": 1}], "tool_calls": [call]}
    provider: FakeProvider = start_provider(replying(with_message(**sent)))
    client = make_client(provider.url)
    answer = complete(client)
    client.create_chat_completion("m", [*MESSAGES, answer.choices[0].message])
    assert provider.calls[1].json()["messages"][1] == sent


def test_nulls_of_a_message_are_not_sent_back(make_client: Clients, start_provider: Any) -> None:
    nulls = {"tool_calls": None, "reasoning_content": None, "function_call": None, "refusal": None}
    provider: FakeProvider = start_provider(replying(with_message(content="x", **nulls)))
    client = make_client(provider.url)
    client.create_chat_completion("m", [*MESSAGES, complete(client).choices[0].message])
    assert provider.calls[1].json()["messages"][1] == {"role": "assistant", "content": "x"}


# ---- arguments -----------------------------------------------------------------------------------------


def test_22_none_is_a_way_to_say_nothing(client: Any, provider: FakeProvider) -> None:
    complete(client, temperature=None, stop=None, tool_choice=None)
    assert provider.calls[0].json().keys() == {"model", "messages", "stream"}


def test_23_dicts_will_do_and_wrong_ones_are_named(client: Any) -> None:
    client.create_chat_completion("m", [{"role": "user", "content": "x"}])
    with pytest.raises(sdk.InferenceGatewayValidationError):
        client.create_chat_completion("m", [{"content": "x"}])


def test_24_a_method_streams_or_does_not(client: Any, provider: FakeProvider) -> None:
    with pytest.raises(sdk.InferenceGatewayValidationError, match="create_chat_completion_stream"):
        complete(client, stream=True)
    with pytest.raises(sdk.InferenceGatewayValidationError, match="stream"):
        client.create_chat_completion_stream("m", MESSAGES, stream=False)
    chunks(client, stream=True)
    assert provider.calls[0].json()["stream"] is True


@pytest.mark.parametrize("body", [b"", b"<html>"])
def test_25_a_success_that_is_no_json_is_an_error_of_the_sdk(
    make_client: Clients, start_provider: Any, body: bytes
) -> None:
    async def script(call: Call) -> None:
        await call.respond(200, body)

    client = make_client(start_provider(script).url)
    for call in (complete, lambda each: each.list_models(), lambda each: each.list_tools()):
        with pytest.raises(sdk.InferenceGatewayError):
            call(client)


@pytest.mark.parametrize("method", ["POST", "DELETE", "put", "PATCH"])
@pytest.mark.parametrize("data", [{}, [], {"a": 1}, 0, False, ""])
def test_26_the_body_of_a_proxied_call_is_sent_whatever_it_is(
    make_client: Clients, start_provider: Any, method: str, data: object
) -> None:
    provider: FakeProvider = start_provider(replying({}))
    make_client(provider.url).proxy_request("openai", "x", method, data)
    assert provider.calls[0].method == method.upper()
    assert provider.calls[0].json() == data


def test_27_a_body_of_another_kind_keeps_its_type(make_client: Clients, start_provider: Any) -> None:
    provider: FakeProvider = start_provider(replying({}))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    make_client(provider.url).proxy_request("openai", "files", "POST", content=b"--x--", headers=headers)
    assert provider.calls[0].headers["content-type"] == headers["Content-Type"]
    assert provider.calls[0].body == b"--x--"


def test_28_a_stream_is_asked_for_as_a_stream(client: Any, provider: FakeProvider) -> None:
    chunks(client)
    assert provider.calls[0].headers["accept"].startswith("text/event-stream")


def test_30_an_error_has_its_cause_and_the_servers_words(make_client: Clients, start_provider: Any) -> None:
    with pytest.raises(sdk.InferenceGatewayAPIError, match=r"no$"):
        complete(make_client(start_provider(refusing(500)).url))
    with pytest.raises(sdk.InferenceGatewayConnectionError) as caught:
        complete(make_client("http://127.0.0.1:1/v1"))
    assert caught.value.__cause__ is not None


def test_31_types_are_shipped_and_errors_are_read_in_both_shapes() -> None:
    assert (Path(sdk.__file__).parent / "py.typed").exists()
    assert sdk.Error.model_validate({"error": "a"}).message == "a"
    assert sdk.Error.model_validate({"error": {"message": "a"}}).message == "a"


def test_32_a_health_check_hides_no_mistake_of_the_caller(make_client: Clients) -> None:
    def broken() -> str:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        make_client("http://127.0.0.1:1/v1", token_provider=broken).health_check()
