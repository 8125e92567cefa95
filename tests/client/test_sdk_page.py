"""The SDK page's promises: its snippets, run unchanged on each kind of client, and what they send."""

import json
from pathlib import Path
from typing import Any

import pytest
from facade import Clients
from page_snippets import SNIPPETS

import inference_gateway
from fakes.provider import DONE, Call, FakeProvider, chunk
from inference_gateway import InferenceGatewayAPIError, InferenceGatewayValidationError, Message, Provider

WIRE = json.loads((Path(__file__).parent / "page_wire.json").read_text())

SIGNATURE = "CvcBAY89=="
TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_current_weather", "arguments": '{"location": "New York, NY"}'},
    "extra_content": {"google": {"thought_signature": SIGNATURE}},
}
TOKEN = {"token": "7", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "7", "logprob": -0.5}]}
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
STREAM = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Hmm. "}),
    chunk({"content": "Once "}),
    chunk({"content": "upon"}),
    chunk({}, "stop"),
    b"data: %b\n\n"
    % json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}).encode(),
    DONE,
)
ANSWERS: dict[str, Any] = {
    "/health": {"message": "OK"},
    "/v1/models": {"object": "list", "data": [{"id": "openai/m", "object": "model", "served_by": "openai"}]},
    "/v1/models?provider=openai": {"object": "list", "provider": "openai", "data": []},
    "/v1/mcp/tools": {
        "object": "list",
        "data": [{"name": "read", "description": "d", "server": "http://mcp:1", "input_schema": {}}],
    },
    "/proxy/openai/embeddings": {"object": "list", "data": [{"embedding": [0.25]}]},
}


async def as_the_page_says(call: Call) -> None:
    """Answer whatever the page's snippets ask."""
    if call.target in ANSWERS:
        await call.respond_json(ANSWERS[call.target])
    elif call.json()["stream"]:
        await call.stream(STREAM)
    else:
        await call.respond_json(completion(call.json()))


def completion(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "Python is a language."}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        message |= {"content": None, "tool_calls": [TOOL_CALL]}
        choice["finish_reason"] = "tool_calls"
    if body.get("reasoning_format"):
        message["reasoning_content"] = "s-t-r…"
    if body.get("logprobs"):
        choice["logprobs"] = {"content": [TOKEN], "refusal": None}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


@pytest.fixture
def page(start_provider: Any) -> FakeProvider:
    provider: FakeProvider = start_provider(as_the_page_says)
    return provider


def run_tool(call: Any) -> str:
    return f"sunny in {json.loads(call.function.arguments)['location']}"


class Reader:
    """A reader who copies snippets of the page and runs them against `provider`."""

    def __init__(self, clients: Clients, provider: FakeProvider) -> None:
        self.clients = clients
        self.provider = provider
        self.names: dict[str, Any] = {}

    def run(self, name: str) -> dict[str, Any]:
        """Run what comes before it and the snippet itself; return its variables."""
        snippet = SNIPPETS[name]
        if snippet.follows:
            self.run(snippet.follows)
            self.provider.calls.clear()
        if name == "extra_content":
            self.names["messages"] = [Message(role="user", content="What is the weather in New York?")]
            self.names["run_tool"] = lambda call: (
                f"sunny in {json.loads(call.function.arguments)['location']}"
            )
        exec(compile(snippet.text, name, "exec"), self.names)
        return self.names

    def client(self, base_url: str, token: str | None = None, **options: Any) -> Any:
        """Stand in for the class: the same client, of the kind under test, at the provider's address."""
        assert base_url == "http://localhost:8080/v1"
        options.pop("use_httpx", None)
        return self.clients(self.provider.url, token, **options)

    def wire(self) -> list[dict[str, Any]]:
        """What was sent, as JSON."""
        return [
            {"method": call.method, "target": call.target, "body": call.json() if call.body else None}
            for call in self.provider.calls
        ]


@pytest.fixture
def reader(make_client: Clients, page: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Reader:
    reader = Reader(make_client, page)
    monkeypatch.setattr(inference_gateway, "InferenceGatewayClient", reader.client)
    return reader


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_of_the_page_sends_what_it_always_sent(reader: Reader, name: str) -> None:
    reader.run(name)
    assert reader.wire() == WIRE[name]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("chat", "Python is a language.\n"),
        ("streaming", "Once upon"),
        ("reasoning_stream", "Hmm. Once upon"),
        ("tools", 'get_current_weather {"location": "New York, NY"}\n'),
        ("reasoning", "Reasoning: s-t-r…\nAnswer: Python is a language.\n"),
        ("models", "model: openai/m -> openai\ntool: read (server: http://mcp:1)\n"),
        ("proxy", "{'object': 'list', 'data': [{'embedding': [0.25]}]}\n"),
        ("options", "Python is a language.\n"),
    ],
)
def test_a_snippet_of_the_page_prints_what_it_promises(
    reader: Reader, name: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reader.run(name)
    assert capsys.readouterr().out == printed


def test_log_probabilities_are_on_the_choice(reader: Reader) -> None:
    logprobs = reader.run("logprobs")["response"].choices[0].logprobs
    assert logprobs.content[0].top_logprobs[0].token == "7"


def test_a_thought_signature_goes_back_verbatim(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    final = reader.run("extra_content")["final"]
    assert capsys.readouterr().out.endswith(f"thought_signature: {SIGNATURE}\n")
    assert final.choices[0].message.content.root == "Python is a language."
    _, assistant, result = reader.provider.calls[-1].json()["messages"]
    assert assistant["tool_calls"] == [TOOL_CALL]
    assert result == {"role": "tool", "content": "sunny in New York, NY", "tool_call_id": "call_1"}


def test_a_token_goes_with_every_request_and_leaving_the_context_closes_the_pool(reader: Reader) -> None:
    client = reader.run("options")["client"]
    assert reader.provider.calls[0].headers["authorization"] == "Bearer your-api-token"
    assert client.timeout == 60.0
    if reader.clients.kind == "httpx":
        assert client.client.is_closed
    if reader.clients.kind == "async":
        assert client.wrapped.client.is_closed


@pytest.mark.parametrize("method", ["create_chat_completion", "create_chat_completion_stream"])
def test_an_argument_out_of_range_is_refused_and_nothing_is_sent(
    client: Any, provider: FakeProvider, method: str
) -> None:
    with pytest.raises(InferenceGatewayValidationError, match="temperature") as caught:
        list(getattr(client, method)("m", [Message(role="user", content="x")], temperature=3))
    assert caught.value.field == "temperature"
    assert provider.calls == []


def test_parallel_tool_calls_can_be_forbidden(client: Any, provider: FakeProvider) -> None:
    client.create_chat_completion("m", [Message(role="user", content="x")], parallel_tool_calls=False)
    assert provider.calls[0].json()["parallel_tool_calls"] is False


def test_the_third_argument_is_the_provider_and_may_be_a_word_or_a_provider(
    client: Any, provider: FakeProvider
) -> None:
    for each in ("groq", Provider("groq")):
        client.create_chat_completion("m", [Message(role="user", content="x")], each)
    assert {call.target for call in provider.calls} == {"/v1/chat/completions?provider=groq"}


def test_tools_that_are_not_exposed_are_an_api_error(make_client: Clients, mock_gateway: Any) -> None:
    with pytest.raises(InferenceGatewayAPIError, match=r"^Request failed: 403") as caught:
        make_client(f"{mock_gateway.url}/v1").list_tools()
    assert caught.value.status_code == 403


async def broken(call: Call) -> None:
    await call.respond_json({"error": "no"}, 500)


async def silent(call: Call) -> None:
    await call.client_gone()


@pytest.mark.parametrize("script", [broken, silent], ids=["500", "silence"])
def test_an_unwell_gateway_is_unhealthy_and_not_an_exception(
    make_client: Clients, start_provider: Any, script: Any
) -> None:
    assert make_client(start_provider(script).url).health_check(timeout=0.1) is False


def test_a_gateway_that_is_not_there_is_unhealthy(make_client: Clients) -> None:
    assert make_client("http://127.0.0.1:1/v1").health_check() is False


def test_the_page_runs_against_our_gateway(make_client: Clients, mock_gateway: Any) -> None:
    client = make_client(f"{mock_gateway.url}/v1")
    assert client.health_check()
    assert [(model.id, model.served_by.root) for model in client.list_models().data] == [
        ("mock/echo", "mock"),
        ("mock/tools", "mock"),
    ]
    messages = [Message(role="user", content="Hello there")]
    assert (
        client.create_chat_completion("mock/echo", messages).choices[0].message.content.root == "Hello there"
    )
    assert client.create_chat_completion_stream("mock/echo", messages).get_final_text() == "Hello there"
