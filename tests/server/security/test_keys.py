"""API keys: who is let in by one, to what, and for how long."""

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.chats import body
from fakes.gateway import FakeGateway, Reply
from fakes.provider import FakeProvider
from inference_gateway import InferenceGatewayClient
from inference_gateway.server.api.routes import ROUTES, public_paths
from inference_gateway.server.cli import cli
from inference_gateway.server.keys import ring as ring_module
from inference_gateway.server.keys.file import UnusableKeys, change, read
from inference_gateway.server.keys.record import KeyList, create
from inference_gateway.server.keys.ring import KeyRing
from inference_gateway.server.serve import Server

Start = Callable[..., FakeGateway]
KEY = "a-key-of-the-settings"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def keys(*arguments: str, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(cli, ["keys", *arguments])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file of keys is to be."""
    return tmp_path / "keys.json"


@pytest.fixture
def made(path: Path) -> Callable[..., str]:
    """Make keys by the command line; returns them."""

    def make(name: str, *options: str) -> str:
        result = keys("create", name, "--file", str(path), *options)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    return make


@pytest.fixture
def start(start_gateway: Start, provider: FakeProvider) -> Start:
    """Start gateways in front of a provider."""
    return lambda **environ: start_gateway(OPENAI_API_KEY="sk", OPENAI_API_URL=provider.url, **environ)


def test_a_key_of_the_settings_lets_in_and_switches_authentication_on(
    start: Start, provider: FakeProvider
) -> None:
    gateway = start(AUTH_API_KEYS=f"{KEY}, another-key-of-the-settings")
    assert gateway.chat(body(), headers=bearer(KEY)).status == 200
    assert gateway.chat(body(), headers=bearer("another-key-of-the-settings")).status == 200
    assert gateway.chat(body(), headers=bearer(KEY + "x")).status == 401
    assert len(provider.calls) == 2


def test_whoever_says_nothing_gets_a_challenge_without_a_reason(start: Start) -> None:
    reply = start(AUTH_API_KEYS=KEY).chat(body())
    assert (reply.status, reply.json()) == (401, {"error": "unauthorized"})
    assert reply.headers["www-authenticate"] == 'Bearer realm="inference-gateway"'
    assert reply.headers["x-request-id"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {KEY}",
        KEY,
        f"Bearer {KEY} x",
        f"Bearer\t{KEY}",
        f"Bearer{KEY}",
        "Bearer é",
    ],
)
def test_what_is_not_one_bearer_token_lets_nobody_in(start: Start, value: str) -> None:
    reply = start(AUTH_API_KEYS=KEY).request("GET", "/v1/models", headers={"Authorization": value})
    assert reply.status == 401
    assert "error_description=" in reply.headers["www-authenticate"]


def test_two_credentials_are_none(start: Start) -> None:
    field = f"Authorization: Bearer {KEY}\r\n".encode()
    gateway = start(AUTH_API_KEYS=KEY)
    request = b"GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%b\r\n"
    assert gateway.exchange(request % field).startswith(b"HTTP/1.1 200")
    assert gateway.exchange(request % (field * 2)).startswith(b"HTTP/1.1 401")


def test_everything_but_health_and_the_empty_status_page_wants_to_know_who_asks(
    start: Start, provider: FakeProvider
) -> None:
    gateway = start(AUTH_API_KEYS=KEY)
    paths = {path for route in ROUTES for path in route.paths}
    public = public_paths(ROUTES)
    health = {path.encode() for path in paths if "health" in path and "mcp" not in path}
    assert health | {b"/ui"} == public
    for template in {
        "/",
        "/nothing",
        "/v1",
        "/health/",
        "/%68ealth",
        "/health/../v1/models",
        "//health",
        *paths,
    }:
        path = template.format(id="openai/m", provider="openai", path="models", agent="a")
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            status = gateway.request(method, path).status
            if path.encode() in public:
                assert status == (200 if method == "GET" else 405)
            else:
                assert status == 401, (method, path)
    assert not provider.calls


def test_a_preflight_needs_no_key_and_a_refusal_can_be_read_by_the_page(start: Start) -> None:
    gateway = start(AUTH_API_KEYS=KEY, SERVER_CORS_ORIGINS="https://app.test")
    asked = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    assert gateway.request("OPTIONS", "/v1/models", headers=asked).status == 204
    reply = gateway.chat(body(), headers={"Origin": "https://app.test"})
    assert reply.status == 401
    assert reply.headers["access-control-allow-origin"] == "https://app.test"


def test_the_sdk_and_its_api_key_get_in(start: Start) -> None:
    gateway = start(AUTH_API_KEYS=KEY)
    with InferenceGatewayClient(f"{gateway.url}/v1", token=KEY) as client:
        assert [model.id for model in client.list_models().data] == ["openai/m"]


# ---- a file of keys ------------------------------------------------------------------------------------


def test_a_made_key_lets_in_until_it_is_revoked(
    start: Start, made: Callable[..., str], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "_LOOK_EVERY", 0.0)
    key = made("alice")
    gateway = start(AUTH_API_KEYS_FILE=str(path))
    assert gateway.chat(body(), headers=bearer(key)).status == 200
    other = made("bob")
    assert gateway.chat(body(), headers=bearer(other)).status == 200
    assert keys("revoke", "alice", "--file", str(path)).exit_code == 0
    assert gateway.chat(body(), headers=bearer(key)).status == 401
    assert gateway.chat(body(), headers=bearer(other)).status == 200


def test_a_reload_reads_the_keys_at_once(
    start: Start, made: Callable[..., str], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "_LOOK_EVERY", 3600.0)
    key = made("alice")
    gateway = start(AUTH_API_KEYS_FILE=str(path))
    keys("revoke", "alice", "--file", str(path))
    assert gateway.chat(body(), headers=bearer(key)).status == 200

    async def reload() -> None:
        assert isinstance(gateway.server, Server)
        gateway.server.reload()

    gateway.thread.call(reload())
    assert gateway.chat(body(), headers=bearer(key)).status == 401


def test_a_key_ends_when_it_expires(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    key, record = create("a", expires=datetime.now(UTC) + timedelta(minutes=5), allowed_models=())
    change(path, lambda _: KeyList(version=1, keys=(record,)))
    ring = KeyRing([], path)
    assert ring.find(record.digest) == record.principal
    now = time.time()
    monkeypatch.setattr(ring_module, "time", lambda: now + 301)
    assert ring.find(record.digest) is None
    assert key not in path.read_text()


def test_a_limited_key_sees_and_reaches_its_models_only(
    start: Start, made: Callable[..., str], path: Path
) -> None:
    key, free = made("limited", "--models", "OpenAI/m, echo, tools"), made("free")
    gateway = start(AUTH_API_KEYS_FILE=str(path), MOCK_ENABLED="true")

    def ids(key: str) -> list[str]:
        listed = gateway.request("GET", "/v1/models", headers=bearer(key)).json()
        return [model["id"] for model in listed["data"]]

    assert ids(key) == ["openai/m", "mock/echo", "mock/tools"] == ids(free)
    for model, query in (("openai/m", ""), ("m", ""), ("m", "?provider=openai"), ("mock/echo", "")):
        assert gateway.chat(body(model), query, bearer(key)).status == 200
    refused = [("openai/n", ""), ("n", "?provider=openai"), ("openai/M2", ""), ("openai/m/x", "")]
    for model, query in refused:
        reply = gateway.chat(body(model), query, bearer(key))
        assert (reply.status, "this key is not good for" in reply.json()["error"]) == (403, True)
        assert gateway.chat(body(model), query, bearer(free)).status == 200
    assert gateway.request("POST", "/proxy/openai/chat/completions", body("m"), bearer(key)).status == 403
    assert gateway.request("POST", "/proxy/openai/chat/completions", body("m"), bearer(free)).status == 200


def test_a_limited_key_gets_no_data_of_the_status_page(
    start: Start, made: Callable[..., str], path: Path
) -> None:
    key, free = made("limited", "--models", "mock/echo"), made("free")
    gateway = start(AUTH_API_KEYS_FILE=str(path))
    for data in ("status", "errors", "services", "settings"):
        assert gateway.request("GET", f"/ui/api/{data}", headers=bearer(key)).status == 403
        assert gateway.request("GET", f"/ui/api/{data}", headers=bearer(free)).status == 200


def test_a_model_that_a_key_may_not_use_is_not_listed_to_it(
    start: Start, made: Callable[..., str], path: Path
) -> None:
    key = made("limited", "--models", "mock/echo")
    gateway = start(AUTH_API_KEYS_FILE=str(path), MOCK_ENABLED="true")

    def get(target: str) -> Reply:
        return gateway.request("GET", target, headers=bearer(key))

    assert [model["id"] for model in get("/v1/models").json()["data"]] == ["mock/echo"]
    assert get("/v1/models?provider=openai").json()["data"] == []
    assert get("/v1/models/openai/m").status == 404
    both = json.dumps({"model": "mock/echo", "Model": "openai/m", "messages": []}).encode()
    assert gateway.chat(both, headers=bearer(key)).status == 400


def test_the_file_is_private_and_stays_so(made: Callable[..., str], path: Path) -> None:
    previous = os.umask(0)
    try:
        made("alice")
        made("bob")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o644, 0o660, 0o666, 0o601])
def test_a_file_that_others_could_read_or_change_is_refused(
    made: Callable[..., str], path: Path, mode: int
) -> None:
    made("alice")
    path.chmod(mode)
    with pytest.raises(UnusableKeys, match="chmod 600"):
        read(path)
    for arguments in (("list",), ("revoke", "alice"), ("create", "bob")):
        result = keys(*arguments, "--file", str(path))
        assert (result.exit_code, "chmod 600" in result.stderr) == (1, True)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_secret_that_a_container_mounts_for_its_group_is_taken(
    made: Callable[..., str], path: Path, mode: int
) -> None:
    made("alice")
    path.chmod(mode)
    assert [key.name for key in read(path).keys] == ["alice"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not a file of API keys"),
        ('{"version": 2}', "version must be 1"),
        ('{"version": 1, "kees": []}', "unknown field"),
        (
            '{"version": 1, "keys": [{"name": "a b", "sha256": "", "created": "2026-01-01T00:00:00Z"}]}',
            "name",
        ),
        (
            '{"version": 1, "keys": [{"name": "a", "sha256": "x", "created": "2026-01-01T00:00:00Z"}]}',
            "sha256",
        ),
        (
            '{"version": 1, "keys": [{"name": "a", "sha256": "%s", "created": "2026-01-01T00:00:00Z", '
            '"expires": "2030-01-01T00:00:00"}]}' % ("0" * 64),
            "time zone",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(path: Path, content: str, why: str) -> None:
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(UnusableKeys, match=why):
        read(path)


def test_a_pipe_is_no_file_of_keys_and_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(UnusableKeys, match="is not a file"):
        read(path)


def test_a_file_that_breaks_leaves_the_known_keys_and_is_logged_once(
    made: Callable[..., str], path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ring_module, "_LOOK_EVERY", 0.0)
    made("alice")
    ring = KeyRing([], path)
    digest = read(path).keys[0].digest
    path.write_text("{")
    path.chmod(0o600)
    for _ in range(3):
        assert ring.find(digest) is not None
    path.unlink()
    for _ in range(3):
        assert ring.find(digest) is not None
    assert caplog.text.count("the API keys stay as they were") == 2


def test_keys_made_at_one_time_are_all_kept(path: Path) -> None:
    def make(number: int) -> None:
        _, record = create(f"key-{number}", expires=None, allowed_models=())
        change(path, lambda known: KeyList(version=1, keys=(*known.keys, record)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(24)))
    assert len(read(path).keys) == 24


# ---- the command line ----------------------------------------------------------------------------------


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def test_keys_are_listed_without_what_they_are(path: Path, tmp_path: Path) -> None:
    with working_in(tmp_path):
        made = keys("create", "alice", "--expires", "90d", "--models", "a,b", AUTH_API_KEYS_FILE=str(path))
        key = made.stdout.strip()
        assert key.startswith("igw_")
        assert len(key) >= 40
        listed = keys("list", AUTH_API_KEYS_FILE=str(path)).stdout
    name, created, until, models = listed.rstrip("\n").split("\t")
    assert (name, models) == ("alice", "a,b")
    assert created.startswith("created 20")
    assert until.startswith("expires 20")
    assert key not in listed + path.read_text()
    assert read(path).keys[0].sha256 not in listed


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "a b"), 2, "a key's name is"),
        (("create", "alice", "--expires", "yesterday"), 2, "90d"),
        (("create", "alice", "--expires", "2001-01-01"), 2, "in the past"),
        (("create", "known"), 1, "already"),
        (("revoke", "unknown"), 1, "no key called"),
    ],
)
def test_what_cannot_be_done_is_said(
    made: Callable[..., str], path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    made("known")
    before = path.read_bytes()
    result = keys(*arguments, "--file", str(path))
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert path.read_bytes() == before


def test_without_a_file_nothing_is_made(tmp_path: Path) -> None:
    with working_in(tmp_path):
        for arguments in (("create", "a"), ("list",), ("revoke", "a")):
            result = keys(*arguments)
            assert (result.exit_code, "give --file" in result.stderr) == (2, True)
    assert keys("list", "--file", str(tmp_path / "none")).exit_code == 1
