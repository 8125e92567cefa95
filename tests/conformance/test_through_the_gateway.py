"""The same corpus over a socket, through the whole gateway: nothing smuggled arrives at the provider."""

from collections.abc import Iterator

import pytest

from conformance.corpus import REFUSED, TAKEN, Refused, Taken, name_of
from conformance.oracle import answers_in
from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider


class Recorder:
    """Answers every call, and remembers those that came whole."""

    def __init__(self) -> None:
        self.whole: list[tuple[str, bytes]] = []

    async def __call__(self, call: Call) -> None:
        self.whole.append((call.target.partition("?")[0], call.body))
        await call.respond(200)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def provider(recorder: Recorder) -> Iterator[FakeProvider]:
    provider = FakeProvider(recorder)
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def gateway(provider: FakeProvider) -> Iterator[FakeGateway]:
    gateway = FakeGateway({"OPENAI_API_KEY": "k", "OPENAI_API_URL": provider.url})
    yield gateway
    gateway.close()


@pytest.fixture(autouse=True)
def forget(recorder: Recorder, provider: FakeProvider) -> None:
    recorder.whole.clear()
    provider.calls.clear()


@pytest.mark.parametrize("row", TAKEN, ids=name_of)
def test_what_is_taken_arrives_as_it_is_and_what_follows_after_it(
    gateway: FakeGateway, provider: FakeProvider, recorder: Recorder, row: Taken
) -> None:
    following = b"DELETE /proxy/openai/last HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    received = gateway.exchange(row.whole + (following if row.persists else b""))
    methods = ["HEAD" if row.sent.startswith(b"HEAD") else "GET", "GET", "DELETE"]
    answers = answers_in(received, methods[: 3 if row.persists else 1], closed=True)
    expected = [("/v1/first", row.body)]
    if row.persists:
        expected += [("/v1/next", b""), ("/v1/last", b"")]
    assert [answer.status for answer in answers] == [200] * len(expected)
    assert recorder.whole == expected
    assert [call.target.partition("?")[0] for call in provider.calls] == [target for target, _ in expected]
    assert not any("evil" in value for call in provider.calls for value in call.headers.values())


# What is refused may have begun to reach the provider, and be noticed there late: it comes last.
@pytest.mark.parametrize("row", REFUSED, ids=name_of)
def test_what_is_refused_does_not_reach_the_provider_whole(
    gateway: FakeGateway, provider: FakeProvider, recorder: Recorder, row: Refused
) -> None:
    [answer] = answers_in(gateway.exchange(row.whole), [], closed=True)
    assert answer.status == row.status
    assert recorder.whole == []
    assert not any("evil" in line for call in provider.calls for line in (call.target, *call.headers))
