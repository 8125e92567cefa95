"""Certificates and authorities of one provider alone: shown to it, trusted for it, shared with nobody."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from fakes.gateway import FakeGateway
from fakes.provider import FakeProvider
from fakes.proxy import FakeProxy
from fakes.upstream import OK, Peer, ask, on_uvloop, pooling, serving
from inference_gateway.server.configuration import load
from inference_gateway.server.errors import UpstreamError
from inference_gateway.server.listening import CannotServe
from inference_gateway.server.serve import open_pool
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.proxies import Proxies, Proxy
from inference_gateway.server.transport.tls import ClientCertificate, client_context, identify

HOST = "localhost"


class Files(NamedTuple):
    """PEM files."""

    ca: Path
    alice_cert: Path
    alice_key: Path
    bob_both: Path
    """Certificate and key in one file."""
    locked_key: Path
    """Alice's key with a passphrase."""
    garbage: Path


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whose certificates both sides have."""
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What an operator has."""
    home = tmp_path_factory.mktemp("tls")
    files = Files(*[home / f"{name}.pem" for name in Files._fields])
    alice, bob = authority.issue_cert(common_name="alice"), authority.issue_cert(common_name="bob")
    authority.cert_pem.write_to_path(str(files.ca))
    alice.cert_chain_pems[0].write_to_path(str(files.alice_cert))
    alice.private_key_pem.write_to_path(str(files.alice_key))
    bob.private_key_and_cert_chain_pem.write_to_path(str(files.bob_both))
    key = serialization.load_pem_private_key(alice.private_key_pem.bytes(), None)
    files.locked_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    files.garbage.write_text("no certificate")
    return files


@pytest.fixture(scope="module")
def asking(authority: trustme.CA) -> ssl.SSLContext:
    """A provider's context that lets nobody in without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "provider.test").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def shown_to(peer: Peer) -> str:
    """Read the common name of the certificate that came."""
    subject = peer.writer.get_extra_info("peercert")["subject"]
    return {key: value for ((key, value),) in subject}["commonName"]


def contexts(files: Files) -> dict[str, ssl.SSLContext]:
    made = {identity: client_context(ca_file=files.ca) for identity in ("", "alice", "bob")}
    identify(made["alice"], ClientCertificate(files.alice_cert, files.alice_key))
    identify(made["bob"], ClientCertificate(files.bob_both))
    return made


@on_uvloop
async def test_each_identity_shows_its_own_certificate_and_shares_no_connection(
    asking: ssl.SSLContext, files: Files
) -> None:
    async def talk(peer: Peer) -> None:
        while True:
            await peer.request()
            names.append(shown_to(peer))
            await peer.send(OK)

    names: list[str] = []
    async with (
        serving(talk, tls=asking) as provider,
        pooling(connector=Connector(contexts(files))) as pool,
    ):
        for identity in ("alice", "bob", "alice", "bob"):
            provider.origin = Origin(tls=True, host=HOST, port=provider.origin.port, identity=identity)
            await ask(pool, provider)
        assert names == ["alice", "bob", "alice", "bob"]
        assert provider.connections == 2


@on_uvloop
async def test_who_has_no_certificate_gets_no_answer(asking: ssl.SSLContext, files: Files) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with (
        serving(talk, tls=asking, host=HOST) as provider,
        pooling(connector=Connector(contexts(files))) as pool,
    ):
        with pytest.raises(UpstreamError):
            await ask(pool, provider)


@on_uvloop
async def test_the_certificate_is_for_the_provider_behind_the_proxy(
    asking: ssl.SSLContext, files: Files
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        names.append(shown_to(peer))
        await peer.send(OK)

    names: list[str] = []
    async with serving(talk, tls=asking) as provider, serving(FakeProxy()) as proxy:
        proxies = Proxies(https=Proxy.of(f"http://{proxy.origin.address}"))
        provider.origin = Origin(tls=True, host="provider.test", port=provider.origin.port, identity="alice")
        async with pooling(connector=Connector(contexts(files), proxies=proxies)) as pool:
            await ask(pool, provider)
    assert names == ["alice"]


def document(tmp_path: Path, **providers: str) -> str:
    """Write a YAML file of providers, each given as the inside of a flow mapping."""
    path = tmp_path / "gateway.yaml"
    path.write_text("providers:\n" + "".join(f"  {id}: {{{inside}}}\n" for id, inside in providers.items()))
    return str(path)


def test_the_whole_gateway_shows_a_certificate_to_the_provider_that_has_one(
    start_provider: Callable[..., FakeProvider],
    start_gateway: Callable[..., FakeGateway],
    asking: ssl.SSLContext,
    files: Files,
    tmp_path: Path,
) -> None:
    provider = start_provider(tls=asking)
    url = f"url: 'https://{HOST}:{provider.port}/v1', ca_path: {files.ca}"
    config = document(
        tmp_path,
        alice=f"{url}, client_cert_path: {files.alice_cert}, client_key_path: {files.alice_key}",
        bob=f"{url}, client_cert_path: {files.bob_both}",
        nobody=url,
        stranger=f"url: 'https://{HOST}:{provider.port}/v1'",
    )
    gateway = start_gateway(config=config)

    def status(model: str) -> int:
        return gateway.chat({"model": model, "messages": [{"role": "user", "content": "hi"}]}).status

    assert [status(f"{id}/m") for id in ("alice", "bob", "alice", "bob")] == [200] * 4
    assert provider.connections == 2
    assert status("nobody/m") == 502
    assert status("stranger/m") == 502  # an authority of one provider is not trusted for another
    assert len(provider.calls) == 4


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("client_cert_path: {garbage}", "providers.own.client_cert_path: {garbage} cannot be used"),
        ("client_cert_path: {alice_cert}", "providers.own.client_cert_path: {alice_cert} cannot be used"),
        (
            "client_cert_path: {bob_both}, client_key_path: {alice_key}",
            "providers.own.client_cert_path: {bob_both} cannot be used",
        ),
        ("client_cert_path: {alice_cert}, client_key_path: {locked_key}", "the key has a passphrase"),
        ("client_key_path: {alice_key}", "providers.own.client_key_path: there is no client_cert_path"),
        ("ca_path: {garbage}", "providers.own.ca_path: {garbage} cannot be used"),
    ],
)
def test_files_that_cannot_be_used_are_named_at_start(
    files: Files, tmp_path: Path, inside: str, said: str
) -> None:
    places = files._asdict()
    config = document(tmp_path, own="url: 'https://own.test', " + inside.format(**places))
    settings = load(environ={}, dotenv=None, config=config).settings
    with pytest.raises(CannotServe) as caught:
        open_pool(settings)
    assert said.format(**places) in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_system_stays_trusted_where_openssl_reads_the_variable_itself(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    trustme.CA().cert_pem.write_to_path(str(system))
    paths = ssl.get_default_verify_paths()._replace(cafile=str(files.ca), openssl_cafile=str(system))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    trusted = client_context(ca_file=files.ca).get_ca_certs(binary_form=True)
    for path in (system, files.ca):
        assert ssl.PEM_cert_to_DER_cert(path.read_text()) in trusted
