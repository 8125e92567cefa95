"""The thinnest way through everything."""

from fakes.gateway import FakeGateway
from fakes.provider import STREAM, FakeProvider

MESSAGES = [{"role": "user", "content": "hi"}]


def test_a_plain_request_reaches_the_provider_with_its_model_and_key(
    gateway: FakeGateway, provider: FakeProvider
) -> None:
    reply = gateway.chat({"model": "openai/m", "messages": MESSAGES})
    assert reply.status == 200
    assert reply.json()["choices"][0]["message"]["content"] == "hi"
    [call] = provider.calls
    assert call.json() == {"model": "m", "messages": MESSAGES}
    assert call.headers["authorization"] == "Bearer sk-test"


def test_a_stream_comes_back_as_it_was_sent(gateway: FakeGateway) -> None:
    reply = gateway.chat({"model": "openai/m", "messages": MESSAGES, "stream": True})
    assert reply.status == 200
    assert reply.body == b"".join(STREAM)
