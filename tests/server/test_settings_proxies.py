"""The settings of proxies: their names in every spelling, and that no password gets into a message."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.configuration import SettingsError, effective, load
from inference_gateway.server.configuration.addresses import Refused, proxy
from inference_gateway.server.settings import ClientSettings, Secret

URL = "http://user:s3cret@proxy.test:3128"


def client_of(**environ: str) -> ClientSettings:
    return load(environ=environ, dotenv=None).settings.client


def problems_of(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(environ=environ, dotenv=None)
    return caught.value.problems


@pytest.mark.parametrize("field", ["http_proxy", "https_proxy", "all_proxy"])
@pytest.mark.parametrize("spelled", [str.upper, str.lower])
def test_a_proxy_is_set_in_capitals_or_without(field: str, spelled: type[str]) -> None:
    loaded = load(environ={spelled(field): f" {URL}/ "}, dotenv=None)
    assert getattr(loaded.settings.client, field) == Secret(URL)
    assert loaded.warnings == ()
    assert loaded.sources[field.upper()] == "environment"


def test_a_proxy_is_set_in_the_files_too(tmp_path: Path) -> None:
    dotenv, document = tmp_path / ".env", tmp_path / "gateway.yaml"
    dotenv.write_text(f"https_proxy={URL}\n")
    document.write_text("client: {http_proxy: 'http://yaml.test:1', no_proxy: [a.test, 10.0.0.0/8]}\n")
    client = load(environ={}, dotenv=str(dotenv), config=str(document)).settings.client
    assert client.https_proxy == Secret(URL)
    assert client.http_proxy == Secret("http://yaml.test:1")
    assert client.no_proxy == ("a.test", "10.0.0.0/8")


def test_the_environment_comes_before_a_file_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://file.test\n")
    loaded = load(environ={"https_proxy": "http://environment.test"}, dotenv=str(tmp_path / ".env"))
    assert loaded.settings.client.https_proxy == Secret("http://environment.test")


def test_a_blank_proxy_is_none() -> None:
    client = client_of(HTTP_PROXY="", https_proxy=" ", NO_PROXY="")
    assert (client.http_proxy, client.https_proxy, client.no_proxy) == (None, None, ())


def test_two_spellings_may_say_the_same_and_nothing_else() -> None:
    assert client_of(HTTPS_PROXY=URL, https_proxy=URL).https_proxy == Secret(URL)
    (problem,) = problems_of(HTTPS_PROXY=URL, https_proxy="http://other.test")
    assert "https_proxy and HTTPS_PROXY are two names of one setting and differ" in problem
    assert "s3cret" not in problem


def test_a_proxy_that_a_client_may_have_set_is_ignored() -> None:
    loaded = load(environ={"REQUEST_METHOD": "GET", "HTTP_PROXY": URL, "HTTPS_PROXY": URL}, dotenv=None)
    assert loaded.settings.client.http_proxy is None
    assert loaded.settings.client.https_proxy == Secret(URL)
    (warning,) = loaded.warnings
    assert "HTTP_PROXY is ignored" in warning
    assert client_of(REQUEST_METHOD="GET", http_proxy=URL).http_proxy == Secret(URL)


def test_exceptions_are_separated_by_commas_or_blanks() -> None:
    client = client_of(no_proxy=" localhost, .corp.test,,10.0.0.0/8 a.test:8443\t* ")
    assert client.no_proxy == ("localhost", ".corp.test", "10.0.0.0/8", "a.test:8443", "*")


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ("proxy.test:3128", "http://proxy.test:3128"),
        ("user:p@proxy.test", "http://user:p@proxy.test"),
        ("HTTP://proxy.test/", "http://proxy.test"),
        ("https://proxy.test:443", "https://proxy.test:443"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
        ("http://us%40er:p%2Fw@10.0.0.1:3128", "http://us%40er:p%2Fw@10.0.0.1:3128"),
        ("http://user@proxy.test", "http://user@proxy.test"),
    ],
)
def test_a_proxys_url_is_read_and_written_whole(given_: str, read: str) -> None:
    assert proxy(given_) == read
    assert proxy(read) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("socks5://user:s3cret@proxy.test:1080", "SOCKS proxies are not part of this version"),
        ("SOCKS5H://proxy.test", "SOCKS proxies are not part of this version"),
        ("ftp://user:s3cret@proxy.test", "does not begin with http:// or https://"),
        ("http://user:s3cret@", "host or port is missing"),
        ("http://user:s3cret@proxy.test:99999", "host or port is missing"),
        ("http://user:s3cret@proxy.test:", "host or port is missing"),
        ("http://user:s3cret/@proxy.test", "percent-encoded"),
        ("http://user:s3cret#@proxy.test", "percent-encoded"),
        ("http://user:s3cret%@proxy.test", "percent-encoded"),
        ("http://user:s3crét@proxy.test", "percent-encoded"),
        ("http://user:s3cret@proxy.test/path", "no path"),
        ("http://user:s3cret@proxy.test?x", "query or a fragment|host or port"),
        ("http://", "host or port is missing"),
    ],
)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
def test_what_is_no_proxy_is_refused_without_being_shown(name: str, text: str, said: str) -> None:
    (problem,) = problems_of(**{name: text})
    assert problem.startswith(f"environment: {name}: ")
    assert any(each in problem for each in said.split("|"))
    for secret in ("s3cr", "user:", "proxy.test"):
        assert secret not in problem


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = proxy(text)
    except Refused:
        return
    assert proxy(read) == read


def test_a_proxy_is_masked_where_settings_are_shown() -> None:
    loaded = load(environ={"HTTPS_PROXY": URL, "NO_PROXY": "a.test b.test"}, dotenv=None)
    rows = {row.name: row.value for row in effective(loaded)}
    assert rows["HTTPS_PROXY"] == "********"
    assert rows["NO_PROXY"] == "a.test,b.test"
    assert "s3cret" not in repr(loaded)
