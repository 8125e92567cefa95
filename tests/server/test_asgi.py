"""The ASGI adapter: what the application suite, which runs on it as well, does not see."""

import asyncio
import http.client
import logging
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Mount

from fakes.collector import Collector
from fakes.gateway import FakeGateway
from fakes.http_server import Tap, echo
from fakes.loops import PATIENCE, LoopThread
from fakes.provider import Call, FakeProvider, Script, chunk
from inference_gateway.server import asgi
from inference_gateway.server.configuration import load
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.transport.messages import Request, Response

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1000
Message = dict[str, Any]
StartProvider = Callable[..., FakeProvider]


class Client:
    """The ASGI server's side of one request: what it hands in, what it is handed."""

    def __init__(self, *events: Message, **scope: object) -> None:
        self.scope: Message = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"h")],
            "client": ("127.0.0.1", 1),
            **scope,
        }
        self.sent: list[Message] = []
        self.received = 0
        self.gone = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self._events = list(events or [{"type": "http.request", "body": b"", "more_body": False}])
        self._changed = asyncio.Event()

    async def receive(self) -> Message:
        self.received += 1
        self._changed.set()
        if self._events:
            return self._events.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        self.sent.append(dict(message))
        self._changed.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something that a call of ours brings about."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def whole(self) -> bool:
        return not self.sent[-1].get("more_body", False) and self.sent[-1]["type"] == "http.response.body"


async def settle() -> None:
    """Let everything that can run now run."""
    for _ in range(10):
        await asyncio.sleep(0)


def answering(response: Response) -> asgi.Adapter:
    async def application(request: Request) -> Response:
        return response

    return asgi.Adapter(application, body_limit=LIMIT)


ECHO = asgi.Adapter(echo, body_limit=LIMIT)


async def ask(adapter: asgi.Adapter, *events: Message, **scope: object) -> Client:
    client = Client(*events, **scope)
    await adapter.serve(client.scope, client.receive, client.send)
    return client


@asynccontextmanager
async def streaming(client: Client, **options: Any) -> AsyncIterator[tuple[Tap, "asyncio.Task[None]"]]:
    """An answer under way, whose body is the tap."""
    tap = Tap()
    adapter = answering(Response(200, [], tap, **options))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        serving = group.create_task(adapter.serve(client.scope, client.receive, client.send))
        await client.until(lambda: bool(client.sent))
        await settle()
        yield tap, serving


def data(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


# ---- the answer ----------------------------------------------------------------------------------------


async def test_a_whole_answer_has_its_length() -> None:
    client = await ask(answering(Response(200, [(b"x", b"y")], b"abc")))
    assert (client.status, client.headers, client.body) == (
        200,
        {b"x": b"y", b"content-length": b"3"},
        b"abc",
    )
    assert client.whole


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_content_gets_neither_length_nor_body(status: int) -> None:
    for body in (b"abc", Tap()):
        client = await ask(answering(Response(status, [], body, length=3)))
        assert (client.headers, client.body, client.whole) == ({}, b"", True)


async def test_head_gets_the_length_and_no_body() -> None:
    tap = Tap()
    for body in (b"abc", tap):
        client = await ask(answering(Response(200, [], body, length=3)), method="HEAD")
        assert (client.headers, client.body, client.whole) == ({b"content-length": b"3"}, b"", True)
    assert tap.gone.is_set()


async def test_pieces_go_out_as_they_come() -> None:
    client = Client()
    async with streaming(client) as (tap, _):
        for piece in (b"one", b"two"):
            tap.give(piece)
            await client.until(lambda piece=piece: client.sent[-1].get("body") == piece)  # type: ignore[misc]
        assert not client.whole
        tap.finish()
    assert client.body == b"onetwo"
    assert client.whole


async def test_a_server_that_holds_back_pauses_the_source_and_waiting_pieces_go_as_one() -> None:
    client = Client()
    async with streaming(client) as (tap, _):
        client.takes.clear()
        tap.give(b"a")
        await settle()
        for _ in range(3):
            assert not tap.paused
            tap.give(b"b" * 30_000)
        assert tap.paused
        client.takes.set()
        await client.until(lambda: len(client.body) == 90_001)
        await settle()
        assert not tap.paused
        tap.finish()
    assert [len(message["body"]) for message in client.sent[1:]] == [1, 90_000, 0]


@pytest.mark.parametrize("given", [b"abcd", b"ab"], ids=["longer", "shorter"])
async def test_an_answer_unlike_its_announced_length_is_not_ended_well(given: bytes) -> None:
    client = Client()
    async with streaming(client, length=3) as (tap, _):
        tap.give(given[:2])
        if given[2:]:
            tap.give(given[2:])
            assert tap.gone.is_set()
        else:
            tap.finish()
    assert client.body == b"ab"
    assert not client.whole


@pytest.mark.parametrize(("length", "told"), [(None, True), (7, True), (6, False)])
async def test_an_answer_that_breaks_off_says_so_unless_it_would_pass_for_whole(
    length: int | None, told: bool
) -> None:
    client = Client()
    async with streaming(client, length=length, ending=lambda _: b"sorry") as (tap, _):
        tap.give(b"a")
        tap.abort(UpstreamError("no more"))
    assert client.body == (b"asorry" if told else b"a")
    assert not client.whole


async def test_a_framework_in_between_is_told_by_an_exception() -> None:
    client = Client(app="framework")
    with pytest.raises(ExceptionGroup) as raised:
        async with streaming(client) as (tap, _):
            tap.abort(UpstreamError("no more"))
    assert raised.group_contains(asgi.AnswerBrokeOff, match="no more")


# ---- the client ----------------------------------------------------------------------------------------


async def test_a_client_that_leaves_cancels_the_handler() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    client = Client()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        adapter = asgi.Adapter(slow, body_limit=LIMIT)
        group.create_task(adapter.serve(client.scope, client.receive, client.send))
        await begun.wait()
        client.gone.set()
    assert cancelled.is_set()
    assert client.sent == []


@pytest.mark.parametrize("stuck", [False, True])
async def test_a_client_that_leaves_in_the_middle_closes_the_source(stuck: bool) -> None:
    client = Client()
    async with streaming(client) as (tap, _):
        if stuck:
            client.takes.clear()
        tap.give(b"a")
        await settle()
        client.gone.set()
    assert tap.gone.is_set()


async def test_a_server_that_refuses_to_send_is_one_whose_client_left() -> None:
    tap = Tap()

    async def send(message: object) -> None:
        raise ConnectionResetError

    client = Client()
    await answering(Response(200, [], tap)).serve(client.scope, client.receive, send)
    assert tap.gone.is_set()


# ---- the request ---------------------------------------------------------------------------------------


def body_of(length: int | None) -> list[tuple[bytes, bytes]]:
    framing = (b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length)
    return [(b"Host", b" h\t"), framing]


@pytest.mark.parametrize("length", [6, None])
async def test_a_body_comes_in_pieces(length: int | None) -> None:
    pieces = [data(b"ab", more=True), data(b"", more=True), data(b"cdef")]
    client = await ask(ECHO, *pieces, method="POST", headers=body_of(length), query_string=b"x=%20")
    assert client.body == b"POST /?x=%20 abcdef"


@pytest.mark.parametrize("length", [LIMIT + 1, None])
async def test_too_large_a_body_is_refused(length: int | None) -> None:
    pieces = [data(b"a" * 500, more=True), data(b"a" * 501, more=True)]
    client = await ask(ECHO, *pieces, method="POST", headers=body_of(length))
    assert client.status == 413


@pytest.mark.parametrize("body", [b"", b"abc"])
async def test_a_body_that_http_2_need_not_announce_is_found(body: bytes) -> None:
    client = await ask(ECHO, data(body), method="POST", http_version="2")
    assert client.body == b"POST / " + body


async def test_a_body_is_not_received_beyond_what_is_wanted() -> None:
    sinks: list[Request] = []
    release = asyncio.Event()

    async def hold(request: Request) -> Response:
        sinks.append(request)
        await release.wait()
        return Response(200, [], b"%d" % len(await request.body.read()))

    client = Client(*[data(b"a" * 40_000, more=True)] * 9, data(b""), method="POST", headers=body_of(None))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        adapter = asgi.Adapter(hold, body_limit=1_000_000)
        group.create_task(adapter.serve(client.scope, client.receive, client.send))
        await client.until(lambda: client.received == 2)
        await settle()
        assert client.received == 2
        release.set()
    assert client.body == b"360000"


@pytest.mark.parametrize("wanted", [False, True])
async def test_a_client_that_waits_to_be_invited_is_invited_when_its_body_is_wanted(wanted: bool) -> None:
    invited: list[int] = []

    async def application(request: Request) -> Response:
        await settle()
        invited.append(client.received)
        body = await request.body.read() if wanted else b"unread"
        return Response(200, [], body)

    headers = [*body_of(3), (b"expect", b"100-continue")]
    client = Client(data(b"abc"), method="POST", headers=headers)
    await asgi.Adapter(application, body_limit=LIMIT).serve(client.scope, client.receive, client.send)
    assert invited == [0]
    assert client.body == (b"abc" if wanted else b"unread")


@pytest.mark.parametrize(
    ("raw", "path", "root", "below"),
    [
        (b"/a%2Fb%20c", "/a/b c", "", b"/a%2Fb%20c"),
        (b"/llm/a%2Fb", "/llm/a/b", "/llm", b"/a%2Fb"),
        (b"/llm", "/llm", "/llm", b"/"),
        (b"/llm/", "/llm/", "/llm/", b"/"),
        (b"/x/llm/v1/models", "/x/llm/v1/models", "/x/llm", b"/v1/models"),
        (b"/my%20llm/v1", "/my llm/v1", "/my llm", b"/v1"),
        (b"/v1", "/v1", "/elsewhere", b"/v1"),
        (b"/llmx/v1", "/llmx/v1", "/llm", b"/llmx/v1"),
        (b"/v1?x=1", "/v1", "", b"/v1"),
        (None, "/a b/\xe9", "", b"/a%20b/%C3%A9"),
        (None, "/llm/a?b", "/llm", b"/a%3Fb"),
    ],
)
async def test_the_path_is_the_undecoded_one_below_the_mount(
    raw: bytes | None, path: str, root: str, below: bytes
) -> None:
    client = await ask(ECHO, raw_path=raw, path=path, root_path=root)
    assert client.body == b"GET %b " % below


# ---- the gateway ---------------------------------------------------------------------------------------


def gateway_app(**environ: str) -> asgi.ASGIGateway:
    return asgi.create_app(load(environ={"MOCK_ENABLED": "true", **environ}, dotenv=None).settings)


async def test_a_trace_says_by_which_scheme_its_request_came(collector: Collector) -> None:
    environ = {"TELEMETRY_TRACING_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    app = asgi.ASGIGateway(load(environ=environ, dotenv=None).settings)
    client = Client(scheme="https", path="/v1/models", raw_path=b"/v1/models")
    await app(client.scope, client.receive, client.send)
    await app.close()
    assert [span.attributes["url.scheme"] for span in collector.spans] == ["https"]


async def test_the_lifespan_is_answered_and_its_end_closes_the_gateway() -> None:
    app = gateway_app()
    client = Client({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}, type="lifespan")
    await app(client.scope, client.receive, client.send)
    assert [message["type"] for message in client.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_websocket_is_refused() -> None:
    client = Client({"type": "websocket.connect"}, type="websocket")
    await gateway_app()(client.scope, client.receive, client.send)
    assert client.sent == [{"type": "websocket.close"}]


async def test_settings_are_read_as_serve_reads_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    (tmp_path / ".env").write_text("MOCK_ENABLED=true\n")
    monkeypatch.setenv("SERVER_MAX_REQUEST_BODY_SIZE", "3")
    client = Client(
        data(b"abcd"), method="POST", path="/v1/chat/completions", raw_path=None, headers=body_of(None)
    )
    await asgi.create_app()(client.scope, client.receive, client.send)
    assert client.status == 413


async def broken_event_stream(call: Call) -> None:
    await call.begin_stream()
    await call.piece(chunk({"content": "hi"}))
    call.reset()


async def broken_length(call: Call) -> None:
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
    call.reset()


GET = b"GET /proxy/openai/x HTTP/1.1\r\nhost: h\r\n\r\n"


@pytest.mark.parametrize("script", [broken_event_stream, broken_length])
def test_uvicorn_cuts_an_answer_that_broke_off_and_writes_no_stack_trace(
    start_provider: StartProvider, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    gateway = FakeGateway(
        {"OPENAI_API_KEY": "k", "OPENAI_API_URL": start_provider(script).url}, listener="uvicorn"
    )
    received = gateway.exchange(GET)
    gateway.close()
    assert received.startswith(b"HTTP/1.1 200 ")
    assert not received.endswith(b"0\r\n\r\n")
    assert b"content-length: 10" not in received or received.endswith(b"\r\n\r\nabc")
    assert all(record.exc_info is None for record in caplog.records)


def test_uvicorn_invites_a_body_only_where_it_is_wanted(provider: FakeProvider) -> None:
    gateway = FakeGateway({"OPENAI_API_KEY": "k", "OPENAI_API_URL": provider.url}, listener="uvicorn")
    fields = b"host: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n"
    head = b"POST %b HTTP/1.1\r\n" + fields + b"\r\n"
    with gateway.connect() as client:
        client.sendall(head % b"/proxy/openai/x")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    with gateway.connect() as client:
        client.sendall(head % b"/nowhere")
        assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
    gateway.close()


# ---- inside frameworks ---------------------------------------------------------------------------------


async def pass_on(
    request: StarletteRequest, call_next: Callable[[StarletteRequest], Awaitable[StarletteResponse]]
) -> StarletteResponse:
    return await call_next(request)


class Served:
    """Any ASGI application under uvicorn."""

    def __init__(self, app: Any) -> None:
        self.thread = LoopThread()
        self.server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="auto")
        )
        self.server.force_exit = True
        self.thread.call(self._start())
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def _start(self) -> None:
        self.server.config.load()
        self.server.lifespan = self.server.config.lifespan_class(self.server.config)
        await self.server.startup()

    def close(self) -> None:
        self.thread.call(self.server.shutdown())
        self.thread.close()

    def get(self, path: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return answer.status, answer.read()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Served]]:
    started: list[Served] = []

    def start(app: Any) -> Served:
        started.append(Served(app))
        return started[-1]

    yield start
    for served in started:
        served.close()


def test_mounted_below_a_path_it_serves_the_path_below(
    serve: Callable[[Any], Served], provider: FakeProvider
) -> None:
    gateway = gateway_app(OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    served = serve(Starlette(routes=[Mount("/a b", routes=[Mount("/llm", app=gateway)])]))
    assert served.get("/a%20b/llm/health") == (200, b'{"message":"OK"}')
    assert served.get("/a%20b/llm/proxy/openai/x%2Fy%20z?q=%20")[0] == 200
    assert provider.calls[0].target == "/v1/x%2Fy%20z?q=%20"


def test_middleware_does_not_end_an_answer_that_broke_off(
    serve: Callable[[Any], Served], start_provider: StartProvider, caplog: pytest.LogCaptureFixture
) -> None:
    url = start_provider(broken_event_stream).url
    served = serve(
        Starlette(
            routes=[Mount("/", app=gateway_app(OPENAI_API_KEY="k", OPENAI_API_URL=url))],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)],
        )
    )
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    with pytest.raises(http.client.IncompleteRead):
        served.get("/proxy/openai/x")


# ---- the document --------------------------------------------------------------------------------------

DOCUMENT = (ROOT / "docs" / "asgi.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "python"])
def test_every_python_block_of_the_document_serves(
    serve: Callable[[Any], Served], block: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "fastapi" in block:
        # FastAPI is a Starlette, and its `mount` is Starlette's.
        block = block.replace("from fastapi import FastAPI", "from starlette.applications import Starlette")
        block = block.replace("FastAPI()", "Starlette()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOCK_ENABLED", "true")
    names: dict[str, Any] = {}
    exec(compile(block, "docs/asgi.md", "exec"), names)
    assert serve(names["app"]).get("/llm/health") == (200, b'{"message":"OK"}')


@pytest.mark.parametrize("command", [text.strip() for language, text in BLOCKS if language == "bash"])
def test_every_command_of_the_document_serves(command: str, tmp_path: Path) -> None:
    program, rest = command.split(" ", 1)
    run = [sys.executable, "-m", program, *rest.replace("--port 8080", "--port 0").split()]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MOCK_ENABLED": "true"}
    with subprocess.Popen(run, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"running on (http://[\d.:]+)", line):
                with urllib.request.urlopen(f"{found[1]}/health", timeout=PATIENCE) as answer:
                    assert answer.read() == b'{"message":"OK"}'
                break
        else:
            pytest.fail("it never listened")
        process.terminate()
        process.stderr.read()
        assert process.wait(PATIENCE) in (0, -15)
