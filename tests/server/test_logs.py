"""The log: what its lines say, what they never say, and that nobody waits for it."""

import contextlib
import json
import logging
import os
import re
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.chats import body
from fakes.gateway import FakeGateway
from fakes.http_server import Client, eventually
from fakes.loops import PATIENCE
from fakes.process import Process, running
from fakes.provider import FakeProvider
from inference_gateway.server import logs

Lines = Callable[..., list[dict[str, Any]]]


def chat_request(data: bytes, *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in ("host: h", "connection: close", *fields))
    return (
        f"POST /v1/chat/completions?key=q HTTP/1.1\r\n{head}content-length: {len(data)}\r\n\r\n".encode()
        + data
    )


def events_of(process: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.lines]


@pytest.fixture
def logged(provider: FakeProvider, tmp_path: Path) -> Lines:
    """Send one chat request with these fields to a gateway; return its log."""

    def ask(*fields: str, **environ: str) -> list[dict[str, Any]]:
        upstream = {"OPENAI_API_KEY": "sk-secret", "OPENAI_API_URL": provider.url}
        with running(home=tmp_path, **{"LOG_FORMAT": "json", **upstream, **environ}) as process:
            line = process.logged("listens on")
            port = int(line.partition("listens on http://127.0.0.1:")[2].partition('"')[0])
            with Client(port) as client:
                client.send(chat_request(body(), *fields))
                assert client.answer().status == 200
            process.signal(signal.SIGTERM)
            assert process.exit_code() == 0
            return events_of(process)

    return ask


def requests_in(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["logger"] == "inference_gateway.access"]


def test_every_line_is_an_object_with_time_level_and_message(logged: Lines) -> None:
    events = logged()
    assert len(events) >= 3
    assert all({"timestamp", "level", "logger", "msg"} <= event.keys() for event in events)
    assert requests_in(events) == []


def test_a_request_is_one_line_that_says_how_it_went(logged: Lines) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    [line] = requests_in(logged(f"traceparent: 00-{trace}-b7ad6b7169203331-01", LOG_ACCESS="true"))
    said = {
        name: line[name] for name in ("method", "path", "outcome", "provider", "model", "status", "stream")
    }
    assert said == {
        "method": "POST",
        "path": "/v1/chat/completions",
        "outcome": "complete",
        "provider": "openai",
        "model": "openai/m",
        "status": 200,
        "stream": False,
    }
    assert (line["input_tokens"], line["output_tokens"], line["trace_id"]) == (1, 1, trace)
    assert line["duration_ms"] >= line["provider_ms"] > 0


def told_of_the_request(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """Fields of its line, which comes when its end is known: the answer may be here before."""

    def lines() -> list[logging.LogRecord]:
        return [each for each in caplog.records if each.name == "inference_gateway.access"]

    eventually(lambda: len(lines()) == 1)
    return logs.fields_of(lines()[0])


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 200), ("/nothing", 404)])
def test_a_request_that_is_no_inference_has_its_status_and_duration_too(
    start_gateway: Callable[..., FakeGateway], caplog: pytest.LogCaptureFixture, path: str, status: int
) -> None:
    caplog.set_level(logging.INFO)
    gateway = start_gateway(LOG_ACCESS="true")
    assert gateway.request("GET", f"{path}?key=q").status == status
    fields = told_of_the_request(caplog)
    assert (fields["method"], fields["path"], fields["status"]) == ("GET", path, status)
    assert isinstance(fields["duration_ms"], float)


def test_a_raw_request_tells_of_its_provider_and_its_tokens(
    start_gateway: Callable[..., FakeGateway], provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gateway = start_gateway(LOG_ACCESS="true", OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    assert gateway.request("POST", "/proxy/openai/chat/completions", body()).status == 200
    fields = told_of_the_request(caplog)
    assert (fields["operation"], fields["provider"], fields["input_tokens"]) == ("proxy", "openai", 1)
    assert "model" not in fields


def test_neither_secrets_nor_prompts_are_logged(logged: Lines) -> None:
    text = json.dumps(logged("authorization: Bearer hush", LOG_ACCESS="true", LOG_LEVEL="debug"))
    assert not any(secret in text for secret in ("hush", "sk-secret", "key=q", "messages"))


def test_prompts_are_logged_where_that_is_wanted(logged: Lines) -> None:
    [line] = requests_in(logged(LOG_ACCESS="true", LOG_CONTENT="true"))
    assert json.loads(line["request_body"]) == json.loads(body())


def test_a_log_that_nobody_reads_holds_nobody_up_and_says_afterwards_what_it_lost() -> None:
    reader, writer = os.pipe()
    outlet = logs.Outlet(writer, most=100)
    try:
        for _ in range(5000):
            outlet.emit(logging.LogRecord("x", logging.INFO, "", 0, "x" * 100, None, None))
        assert outlet.dropped > 3000
        received, told = b"", 0
        while received.count(b"x" * 100) + told < 5000:
            assert select.select([reader], [], [], PATIENCE)[0], "lines were lost that nobody tells of"
            received += os.read(reader, 65536)
            told = sum(int(lost) for lost in re.findall(rb"(\d+) lines of the log were dropped", received))
        assert told == outlet.dropped
        eventually(lambda: not outlet._lines)
    finally:
        outlet.end()
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def set_up(form: logs.Format) -> Iterator[None]:
    """Have nothing but the gateway's own write the log."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        logs.set_up("info", form)
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.mark.parametrize("form", ["json", "console"])
def test_fields_and_errors_stay_with_their_line(form: logs.Format, capfd: pytest.CaptureFixture[str]) -> None:
    with set_up(form), logs.unblocked():
        logging.getLogger("a").info("two\nlines %s", "\ud83d", extra={"fields": {"n": 1}})
    written = capfd.readouterr().err
    if form == "json":
        line = json.loads(written)
        assert (line["n"], line["msg"]) == (1, "two\nlines \ud83d")
    else:
        assert written.endswith("n=1\n")


def test_what_callers_say_makes_no_line_of_its_own_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    fields = {"model": "m\n2026 INFO forged: \x1b[2Jline"}
    with set_up("console"):
        logging.getLogger("test").info("asked %s", "a\r\nb", extra={"fields": fields})
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert line.endswith("asked a\\r\\nb model=m\\n2026 INFO forged: \\x1b[2Jline\n")
