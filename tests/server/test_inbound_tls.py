"""TLS towards clients: what is shown, who is let in, renewed files, and how answers end."""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization

from fakes.gateway import FakeGateway
from fakes.http_server import Client, eventually
from fakes.loops import PATIENCE
from fakes.process import running
from fakes.provider import STREAM, Call, FakeProvider
from inference_gateway.server.cli import cli

GET = b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n"
STREAMED = b'{"model":"openai/m","messages":[{"role":"user","content":"hi"}],"stream":true}'

Start = Callable[..., FakeGateway]


def chat(version: bytes = b"1.1", body: bytes = STREAMED) -> bytes:
    head = b"POST /v1/chat/completions HTTP/%b\r\nhost: h\r\ncontent-length: %d\r\n\r\n"
    return head % (version, len(body)) + body


class TLSClient(Client):
    """A bare connection, encrypted."""

    def __init__(self, port: int, context: ssl.SSLContext, *, receive_buffer: int = 0) -> None:
        super().__init__(port, receive_buffer=receive_buffer)
        try:
            self.socket = self.shake_hands(context)
        except OSError:
            self.socket.close()
            raise

    def shake_hands(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        return context.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)

    @property
    def serial(self) -> int:
        """Serial number of the certificate that the gateway showed."""
        assert isinstance(self.socket, ssl.SSLSocket)
        return int(self.socket.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the gateway's certificates."""
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What clients need to trust it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def write_pair(folder: Path, authority: trustme.CA) -> int:
    """Write a new certificate and its key, as a renewal does; return its serial number."""
    issued = authority.issue_cert("localhost")
    for name, blobs in ("key.pem", [issued.private_key_pem]), ("cert.pem", issued.cert_chain_pems):
        new = folder / f"{name}.new"
        new.write_bytes(b"".join(blob.bytes() for blob in blobs))
        new.replace(folder / name)
    return serial_of(folder)


def serial_of(folder: Path) -> int:
    decoded = ssl._ssl._test_decode_cert(str(folder / "cert.pem"))  # type: ignore[attr-defined]
    return int(decoded["serialNumber"], 16)


@pytest.fixture
def tls(tmp_path: Path, authority: trustme.CA) -> dict[str, str]:
    """Settings of a gateway that speaks TLS, its files in `tmp_path`."""
    write_pair(tmp_path, authority)
    return {
        "SERVER_TLS_CERT_PATH": str(tmp_path / "cert.pem"),
        "SERVER_TLS_KEY_PATH": str(tmp_path / "key.pem"),
    }


def test_requests_are_served_over_tls(
    start_gateway: Start, tls: dict[str, str], trusting: ssl.SSLContext
) -> None:
    with TLSClient(start_gateway(**tls).port, trusting) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() == "http/1.1"
        assert client.socket.version() == "TLSv1.3"
        client.send(GET + GET)
        assert [client.answer().status, client.answer().status] == [200, 200]
        for byte in GET:
            client.send(bytes([byte]))
        assert client.answer().status == 200


def test_a_client_that_leaves_in_order_is_let_go(
    start_gateway: Start, tls: dict[str, str], trusting: ssl.SSLContext
) -> None:
    gateway = start_gateway(**tls)
    with TLSClient(gateway.port, trusting) as client:
        client.send(GET)
        client.answer()
        assert isinstance(client.socket, ssl.SSLSocket)
        client.socket.unwrap().close()
    with TLSClient(gateway.port, trusting) as client:
        client.send(GET[:-2])
    eventually(lambda: not gateway.server._connections.open)


def test_the_minimum_version_is_held(
    start_gateway: Start, tls: dict[str, str], authority: trustme.CA
) -> None:
    old = ssl.create_default_context()
    authority.configure_trust(old)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with TLSClient(start_gateway(**tls).port, old) as client:
        client.send(GET)
        assert client.answer().status == 200
    strict = start_gateway(**tls, SERVER_TLS_MIN_VERSION="TLS13")
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        TLSClient(strict.port, old)


def test_clients_show_a_certificate_where_authorities_are_given(
    start_gateway: Start, tls: dict[str, str], authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    of_clients = trustme.CA()
    of_clients.cert_pem.write_to_path(str(tmp_path / "clients.pem"))
    gateway = start_gateway(**tls, SERVER_TLS_CLIENT_CA_PATH=str(tmp_path / "clients.pem"))
    for issuer, is_welcome in (of_clients, True), (authority, False), (None, False):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        if issuer is not None:
            issuer.issue_cert("a-client").configure_cert(context)
        refused = (
            contextlib.nullcontext() if is_welcome else pytest.raises((ssl.SSLError, ConnectionResetError))
        )
        # With TLS 1.3 a client learns only from the first answer that it is not welcome.
        with refused, TLSClient(gateway.port, context) as client:
            client.send(GET)
            assert client.answer().status == 200
    eventually(lambda: not gateway.server._connections.open)


def test_plain_http_on_a_tls_port_is_closed_quietly(
    start_gateway: Start, tls: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    gateway = start_gateway(**tls)
    with Client(gateway.port) as client:
        client.send(GET)
        assert b"HTTP" not in client.rest()
    with Client(gateway.port):
        pass
    eventually(lambda: not gateway.server._connections.open)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_handshake_takes_only_so_long(start_gateway: Start, tls: dict[str, str]) -> None:
    gateway = start_gateway(**tls, SERVER_TLS_HANDSHAKE_TIMEOUT="50ms")
    with Client(gateway.port) as client:
        client.send(b"\x16\x03")
        with contextlib.suppress(ConnectionResetError):
            assert client.rest() == b""
    assert gateway.tasks() == 0


def test_one_too_many_is_told_so(start_gateway: Start, tls: dict[str, str], trusting: ssl.SSLContext) -> None:
    gateway = start_gateway(**tls, SERVER_MAX_CONNECTIONS="1")
    with TLSClient(gateway.port, trusting), TLSClient(gateway.port, trusting) as second:
        assert second.answer().status == 503
        assert second.rest() == b""


def test_far_too_many_are_not_even_shaken_hands_with(
    start_gateway: Start, tls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_gateway.server.transport.inbound_tls._TURNED_AWAY", 0)
    gateway = start_gateway(**tls, SERVER_MAX_CONNECTIONS="1")
    with Client(gateway.port):
        eventually(lambda: len(gateway.server._connections.open) == 1)
        with Client(gateway.port) as second, contextlib.suppress(ConnectionResetError):
            assert second.rest() == b""


# ---- renewal -------------------------------------------------------------------------------------------


def test_renewed_files_are_shown_to_new_connections(
    start_gateway: Start,
    tls: dict[str, str],
    trusting: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inference_gateway.server.serve._RENEWAL_CHECK", 0.01)
    gateway = start_gateway(**tls)
    with TLSClient(gateway.port, trusting) as old:
        renewed = write_pair(tmp_path, authority)
        assert old.serial != renewed

        def is_shown() -> bool:
            with TLSClient(gateway.port, trusting) as new:
                return new.serial == renewed

        eventually(is_shown)
        old.send(GET)
        assert old.answer().status == 200


def test_renewed_files_that_cannot_be_used_are_logged_and_left(
    start_gateway: Start,
    tls: dict[str, str],
    trusting: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("inference_gateway.server.serve._RENEWAL_CHECK", 0.01)
    caplog.set_level(logging.INFO)
    gateway = start_gateway(**tls)
    serial = serial_of(tmp_path)
    for break_it in (
        lambda: (tmp_path / "key.pem").write_bytes(authority.issue_cert("x").private_key_pem.bytes()),
        (tmp_path / "key.pem").unlink,
    ):
        caplog.clear()
        break_it()
        eventually(lambda: "the old ones stay in use" in caplog.text)
        with TLSClient(gateway.port, trusting) as client:
            assert client.serial == serial
    renewed = write_pair(tmp_path, authority)
    eventually(lambda: "read anew" in caplog.text)
    with TLSClient(gateway.port, trusting) as client:
        assert client.serial == renewed


def test_sighup_reads_the_files_anew(
    tls: dict[str, str], trusting: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    with running(home=tmp_path, **tls) as process:
        line = process.logged("listens on https://127.0.0.1:")
        port = int(line.rpartition(":")[2])
        renewed = write_pair(tmp_path, authority)
        process.signal(signal.SIGHUP)
        process.logged("the TLS files were read anew")
        with TLSClient(port, trusting) as client:
            assert client.serial == renewed
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


# ---- start-up ------------------------------------------------------------------------------------------


def serve(**environ: str) -> tuple[int, str]:
    result = CliRunner(env=environ).invoke(cli, ["serve", "--port", "0"])
    return result.exit_code, result.stderr


@pytest.mark.parametrize("left_out", ["SERVER_TLS_CERT_PATH", "SERVER_TLS_KEY_PATH"])
def test_half_a_pair_is_a_wrong_setting(tls: dict[str, str], left_out: str) -> None:
    del tls[left_out]
    code, text = serve(**tls)
    assert code == 2
    assert "SERVER_TLS_CERT_PATH and SERVER_TLS_KEY_PATH go together" in text


def test_authorities_for_clients_without_a_certificate_are_a_wrong_setting(tls: dict[str, str]) -> None:
    code, text = serve(SERVER_TLS_CLIENT_CA_PATH=tls["SERVER_TLS_CERT_PATH"])
    assert code == 2
    assert "SERVER_TLS_CLIENT_CA_PATH: needs SERVER_TLS_CERT_PATH and SERVER_TLS_KEY_PATH as well" in text


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_pair_that_does_not_match_is_a_wrong_setting(
    tls: dict[str, str], authority: trustme.CA, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "key.pem").write_bytes(authority.issue_cert("x").private_key_pem.bytes())
    checked = CliRunner(env=tls).invoke(cli, ["check", "--offline"])
    assert checked.exit_code == 2
    code, text = serve(**tls, SERVER_WORKERS=workers)
    assert checked.stderr == text
    assert code == 2
    assert text.startswith("inference-gateway: SERVER_TLS_CERT_PATH, SERVER_TLS_KEY_PATH: ")
    assert "MISMATCH" in text


def test_a_key_with_a_password_is_a_wrong_setting_and_nobody_is_asked_for_it(
    tls: dict[str, str], tmp_path: Path
) -> None:
    plain = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    locked = plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "key.pem").write_bytes(locked)
    code, text = serve(**tls)
    assert code == 2
    assert "SERVER_TLS_KEY_PATH" in text


def test_a_file_without_authorities_is_a_wrong_setting_that_is_named(
    tls: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "none.pem").write_text("")
    code, text = serve(**tls, SERVER_TLS_CLIENT_CA_PATH=str(tmp_path / "none.pem"))
    assert code == 2
    assert "SERVER_TLS_CLIENT_CA_PATH" in text


# ---- answers and their ends ----------------------------------------------------------------------------


def test_a_stream_passes_whole(
    start_gateway: Start, provider: FakeProvider, tls: dict[str, str], trusting: ssl.SSLContext
) -> None:
    gateway = start_gateway(**tls, OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    with TLSClient(gateway.port, trusting) as client:
        client.send(chat())
        answer = client.answer()
        assert (answer.body, answer.cut) == (b"".join(STREAM), False)
    with TLSClient(gateway.port, trusting) as client:
        client.send(chat(b"1.0"))
        # The end of TLS is the end of the answer.
        assert client.rest().endswith(b"".join(STREAM))


def test_a_cut_answer_without_framing_is_not_ended_in_order(
    start_gateway: Start,
    start_provider: Callable[..., FakeProvider],
    tls: dict[str, str],
    trusting: ssl.SSLContext,
) -> None:
    async def breaks_off(call: Call) -> None:
        await call.begin_stream()
        await call.piece(STREAM[0])
        call.close()

    provider = start_provider(breaks_off)
    gateway = start_gateway(**tls, OPENAI_API_KEY="k", OPENAI_API_URL=provider.url)
    with TLSClient(gateway.port, trusting) as client:
        client.send(chat(b"1.0"))
        client.receive_until(STREAM[0])
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            client.rest()
    with TLSClient(gateway.port, trusting) as client:
        client.send(chat())
        assert client.answer().cut
    eventually(lambda: not gateway.server._connections.open)


def test_an_answer_reaches_a_client_that_is_still_sending(
    start_gateway: Start, tls: dict[str, str], trusting: ssl.SSLContext
) -> None:
    gateway = start_gateway(**tls, SERVER_MAX_REQUEST_BODY_SIZE="1000")
    with TLSClient(gateway.port, trusting) as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(50):
            client.send(b"4000\r\n" + bytes(0x4000) + b"\r\n")
        answer = client.answer()
        assert answer.status == 413
        assert client.rest() == b""
    eventually(lambda: not gateway.server._connections.open)


def test_a_slow_client_that_does_read_is_served_to_the_end(
    start_gateway: Start,
    start_provider: Callable[..., FakeProvider],
    tls: dict[str, str],
    trusting: ssl.SSLContext,
) -> None:
    async def long_answer(call: Call) -> None:
        await call.respond(200, b'"%b"' % bytes(b"x" * 200_000))

    provider = start_provider(long_answer)
    gateway = start_gateway(
        **tls, OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_WRITE_TIMEOUT="0.3s"
    )
    [listener] = gateway.server._listeners
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    with TLSClient(gateway.port, trusting, receive_buffer=8192) as client:
        client.send(b"GET /proxy/openai/long HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        received, pace = 0, threading.Event()
        while piece := client.socket.recv(4096):
            received += len(piece)
            pace.wait(0.02)  # a slow line
    assert received > 200_000


def test_a_client_that_takes_nothing_is_dropped(
    start_gateway: Start,
    start_provider: Callable[..., FakeProvider],
    tls: dict[str, str],
    trusting: ssl.SSLContext,
) -> None:
    async def long_answer(call: Call) -> None:
        await call.respond(200, bytes(5_000_000))

    provider = start_provider(long_answer)
    gateway = start_gateway(
        **tls, OPENAI_API_KEY="k", OPENAI_API_URL=provider.url, SERVER_WRITE_TIMEOUT="0.1s"
    )
    with TLSClient(gateway.port, trusting, receive_buffer=8192) as client:
        client.send(b"GET /proxy/openai/long HTTP/1.1\r\nhost: h\r\n\r\n")
        eventually(lambda: provider.calls != [])
        eventually(lambda: not gateway.server._connections.open)


# ---- the end -------------------------------------------------------------------------------------------


@pytest.fixture
def half_way(start_gateway: Start, tls: dict[str, str]) -> Iterator[tuple[FakeGateway, Client]]:
    """A gateway that begins to stop in the middle of a client's handshake."""
    gateway = start_gateway(**tls, SERVER_DRAIN_TIMEOUT="1h")
    with Client(gateway.port) as client:
        eventually(lambda: len(gateway.server._connections.open) == 1)
        yield gateway, client


def test_a_request_behind_a_handshake_is_answered_while_draining(
    half_way: tuple[FakeGateway, Client], trusting: ssl.SSLContext
) -> None:
    gateway, client = half_way
    stopping = asyncio.run_coroutine_threadsafe(gateway.server.stop(), gateway.thread.loop)
    eventually(lambda: gateway.server._connections.draining)
    client.socket = TLSClient.shake_hands(client, trusting)  # type: ignore[arg-type]
    client.send(GET)
    answer = client.answer()
    assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
    assert client.rest() == b""
    stopping.result(PATIENCE)


def test_idle_clients_do_not_hold_up_the_end(
    start_gateway: Start, tls: dict[str, str], trusting: ssl.SSLContext
) -> None:
    gateway = start_gateway(**tls, SERVER_DRAIN_TIMEOUT="1h")
    with TLSClient(gateway.port, trusting) as client:
        client.send(GET)
        client.answer()
        asyncio.run_coroutine_threadsafe(gateway.server.stop(), gateway.thread.loop).result(PATIENCE)
        assert client.rest() == b""
