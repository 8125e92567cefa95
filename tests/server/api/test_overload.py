"""Past its caps the gateway says so at once, and stays well: under both HTTP servers."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway, Reply
from fakes.http_server import eventually
from fakes.provider import DONE, STREAM, Call, FakeProvider, well_behaved
from inference_gateway.server.configuration import SettingsError, load
from inference_gateway.server.serve import Server
from inference_gateway.server.transport.load import Load

Start = Callable[..., FakeGateway]


def load_of(gateway: FakeGateway) -> Load:
    server = gateway.server
    return server._connections.load if isinstance(server, Server) else server._application._adapter.load


class Held:
    """A provider that answers once it is told to."""

    def __init__(self) -> None:
        self.free = threading.Event()

    async def script(self, call: Call) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.free.wait)
        await well_behaved(call)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def full(start_gateway: Start, start_provider: Callable[..., FakeProvider], held: Held) -> FakeGateway:
    """A gateway with room for one request, which is under way until `held` is freed."""
    return start_gateway(
        OPENAI_API_KEY="k",
        OPENAI_API_URL=start_provider(held.script).url,
        SERVER_MAX_CONCURRENT_REQUESTS="1",
        SERVER_CORS_ORIGINS="*",
    )


def in_background(work: Callable[[], Reply]) -> "tuple[threading.Thread, list[Reply]]":
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(work()))
    thread.start()
    return thread, replies


def test_a_request_too_many_is_503_and_health_is_still_told(
    full: FakeGateway, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    thread, replies = in_background(lambda: full.chat(body()))
    try:
        eventually(lambda: load_of(full).requests == 1)
        headers = {"X-Request-Id": "mine", "Origin": "https://a.example"}
        for refused in (
            full.chat(body(), headers=headers),
            full.request("GET", "/v1/models", headers=headers),
        ):
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.headers["x-request-id"] == "mine"
            assert refused.headers["access-control-allow-origin"] == "*"
            assert "try again soon" in refused.json()["error"]
        assert [record.name for record in caplog.records] == ["inference_gateway.load"]
        for path in ("/health", "/health/live", "/health/ready", "/v1/health/ready"):
            assert full.request("GET", path).status == 200
    finally:
        held.free.set()
        thread.join()
    assert replies[0].status == 200
    eventually(lambda: load_of(full).requests == 0)
    assert full.chat(body()).status == 200


def test_a_stream_counts_until_its_last_byte(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    going_on = threading.Event()

    async def slow(call: Call) -> None:
        await call.begin_stream()
        await call.piece(STREAM[0])
        await asyncio.get_running_loop().run_in_executor(None, going_on.wait)
        for event in STREAM[1:]:
            await call.piece(event)
        await call.end_stream()

    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(slow).url, SERVER_MAX_CONCURRENT_REQUESTS="1"
    )
    data = body(stream=True)
    with gateway.connect() as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
        client.sendall(head.encode() + data)
        received = client.recv(65536)
        try:
            assert (load_of(gateway).requests, load_of(gateway).held) == (1, len(data))
            assert gateway.chat(body()).status == 503
        finally:
            going_on.set()
        while DONE not in received:
            received += client.recv(65536)
        eventually(lambda: (load_of(gateway).requests, load_of(gateway).held) == (0, 0))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_leaves_makes_room(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], streamed: bool
) -> None:
    async def silent(call: Call) -> None:
        if streamed:
            await call.begin_stream()
            await call.piece(STREAM[0])
        await call.client_gone()

    gateway = start_gateway(
        OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(silent).url, SERVER_MAX_CONCURRENT_REQUESTS="1"
    )
    data = body(stream=streamed)
    with gateway.connect() as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
        client.sendall(head.encode() + data)
        eventually(lambda: load_of(gateway).held == len(data))
    eventually(lambda: (load_of(gateway).requests, load_of(gateway).held) == (0, 0))


def test_bodies_are_taken_up_to_their_cap_and_no_further(
    start_gateway: Start, start_provider: Callable[..., FakeProvider], held: Held
) -> None:
    gateway = start_gateway(
        OPENAI_API_KEY="k",
        OPENAI_API_URL=start_provider(held.script).url,
        SERVER_MAX_REQUEST_BODY_SIZE="3000",
        SERVER_MAX_INFLIGHT_BYTES="4000",
    )
    large = body(user="u" * 2000)
    thread, replies = in_background(lambda: gateway.chat(large))
    try:
        eventually(lambda: load_of(gateway).held == len(large))
        refused = gateway.chat(large)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "too large together" in refused.json()["error"]
    finally:
        held.free.set()
        thread.join()
    assert replies[0].status == 200
    eventually(lambda: load_of(gateway).held == 0)
    assert gateway.chat(large).status == 200


def test_an_error_of_the_provider_and_of_the_caller_make_room_again(
    start_gateway: Start, start_provider: Callable[..., FakeProvider]
) -> None:
    async def resets(call: Call) -> None:
        call.reset()

    gateway = start_gateway(OPENAI_API_KEY="k", OPENAI_API_URL=start_provider(resets).url)
    for _ in range(3):
        assert gateway.chat(body()).status == 502
        assert gateway.chat(b"{").status == 400
        assert gateway.request("GET", "/nothing").status == 404
        assert gateway.chat(body(stream=True)).status == 502
    eventually(lambda: (load_of(gateway).requests, load_of(gateway).held) == (0, 0))


@pytest.mark.own_server(reason="about settings alone")
def test_a_cap_on_all_bodies_below_that_on_one_is_refused() -> None:
    def problems(**environ: str) -> tuple[str, ...]:
        with pytest.raises(SettingsError) as caught:
            load(environ=environ, dotenv=None)
        return caught.value.problems

    (problem,) = problems(SERVER_MAX_INFLIGHT_BYTES="1000")
    assert problem.startswith("environment: SERVER_MAX_INFLIGHT_BYTES: 1000 is less than")
    (problem,) = problems(SERVER_MAX_REQUEST_BODY_SIZE="999999999")
    assert "give at least 999999999, or 0 for no cap" in problem
    unbounded = {"SERVER_MAX_REQUEST_BODY_SIZE": "999999999", "SERVER_MAX_INFLIGHT_BYTES": "0"}
    assert load(environ=unbounded, dotenv=None).settings.server.max_inflight_bytes == 0
