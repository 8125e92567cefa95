"""Which proxy stands before which origin, and what is written to it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.transport.origin import Origin
from inference_gateway.server.transport.proxies import Proxies, Proxy, status_of

HTTP = Proxy.of("http://plain.test:3128")
HTTPS = Proxy.of("http://secure.test:3129")
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z][a-z0-9-]{0,8}){1,3}", fullmatch=True)


def origin(host: str, port: int = 443, *, tls: bool = True) -> Origin:
    return Origin(tls=tls, host=host, port=port)


def is_bypassed(host: str, *exceptions: str, port: int = 443) -> bool:
    return Proxies(HTTP, HTTPS, exceptions).proxy_for(origin(host, port)) is None


def test_the_scheme_of_the_origin_chooses_the_proxy() -> None:
    proxies = Proxies(HTTP, HTTPS)
    assert proxies.proxy_for(origin("api.test")) is HTTPS
    assert proxies.proxy_for(origin("api.test", 80, tls=False)) is HTTP
    assert Proxies(HTTP).proxy_for(origin("api.test")) is None
    assert Proxies().proxy_for(origin("api.test", tls=False)) is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
    ],
)
def test_loopback_is_never_proxied(host: str) -> None:
    assert is_bypassed(host)


@pytest.mark.parametrize("host", ["localhost.test", "mylocalhost", "128.0.0.1", "::2", "0.0.0.0"])
def test_what_only_looks_like_loopback_is_proxied(host: str) -> None:
    assert not is_bypassed(host)


@pytest.mark.parametrize(
    ("exception", "hosts"),
    [
        ("*", ["api.test", "10.0.0.1", "2001:db8::1"]),
        ("api.test", ["api.test", "API.test", "api.test.", "eu.api.test"]),
        (".api.test", ["api.test", "eu.api.test", "a.b.api.test"]),
        ("*.api.test", ["api.test", "eu.api.test"]),
        ("API.TEST.", ["api.test"]),
        ("api.test:443", ["api.test", "eu.api.test"]),
        ("10.1.2.3", ["10.1.2.3"]),
        ("10.1.2.3:443", ["10.1.2.3"]),
        ("10.0.0.0/8", ["10.0.0.1", "10.255.0.1", "::ffff:10.1.1.1"]),
        ("10.1.2.3/8", ["10.9.9.9"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:DB8:1::1"]),
        ("[2001:db8::1]", ["2001:db8::1"]),
        ("[2001:db8::1]:443", ["2001:db8::1"]),
        ("2001:db8::1", ["2001:db8:0::1"]),
    ],
)
def test_an_exception_goes_past_the_proxy(exception: str, hosts: list[str]) -> None:
    assert [host for host in hosts if not is_bypassed(host, "other.test", exception)] == []


@pytest.mark.parametrize(
    ("exception", "host"),
    [
        ("api.test", "myapi.test"),
        ("api.test", "api.test.example"),
        (".api.test", "myapi.test"),
        ("api.test:8443", "api.test"),
        ("10.1.2.3:80", "10.1.2.3"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.0.0.0/8", "10.example.test"),
        ("2001:db8::/32", "2001:db9::1"),
        ("1.2.3.4", "9.1.2.3.4"),
        ("3.4", "1.2.3.4"),
    ],
)
def test_what_an_exception_does_not_name_is_proxied(exception: str, host: str) -> None:
    assert not is_bypassed(host, exception)


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/33", "10.*", "<local>", "http://api.test", "*foo.test", "a b", "."]
)
def test_an_entry_that_cannot_be_read_is_kept_to_be_told(entry: str) -> None:
    proxies = Proxies(HTTP, HTTPS, ["api.test", entry])
    assert proxies.unread == [entry]
    assert proxies.proxy_for(origin("10.0.0.1")) is HTTPS


@given(NAMES, NAMES)
def test_a_domain_covers_itself_and_what_is_below_it(domain: str, below: str) -> None:
    assert is_bypassed(domain, domain)
    assert is_bypassed(f"{below}.{domain}", domain)
    assert not is_bypassed(f"x{domain}", domain)


@given(st.ip_addresses(), st.integers(0, 32))
def test_a_network_covers_exactly_its_addresses(address: ipaddress.IPv4Address, prefix: int) -> None:
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    assert is_bypassed(str(network[0]), str(network))
    assert is_bypassed(str(network[-1]), str(network))
    outside = "2001:db8::1" if network.version == 4 else "192.0.2.1"
    assert not is_bypassed(outside, str(network))


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_exception_and_no_host_is_too_strange(exception: str, host: str) -> None:
    Proxies(HTTP, HTTPS, [exception]).proxy_for(origin(host))


def test_a_tunnel_is_asked_for_with_the_port_and_the_credentials() -> None:
    proxy = Proxy.of("http://us%40er:p%3Aw%C3%A4@proxy.test:3128")
    assert proxy.address == "proxy.test:3128"
    assert proxy.connect_request(origin("api.test")) == (
        b"CONNECT api.test:443 HTTP/1.1\r\nhost: api.test:443\r\n"
        b"proxy-authorization: Basic dXNAZXI6cDp3w6Q=\r\n\r\n"
    )
    assert HTTP.connect_request(origin("2001:db8::1")) == (
        b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost: [2001:db8::1]:443\r\n\r\n"
    )


def test_a_forwarded_request_names_the_whole_url_and_is_otherwise_the_same() -> None:
    head = b"POST /v1/chat?a=http://b HTTP/1.1\r\nhost: api.test\r\nauthorization: Bearer k\r\n"
    plain = origin("api.test", 80, tls=False)
    assert HTTP.forwarded_head(head, plain) == head.replace(b"POST /v1", b"POST http://api.test/v1")
    known = Proxy.of("http://u@proxy.test")
    assert known.forwarded_head(head, origin("api.test", 8080, tls=False)) == (
        head.replace(b"POST /v1", b"POST http://api.test:8080/v1") + b"proxy-authorization: Basic dTo=\r\n"
    )


def test_a_proxy_shows_its_password_to_nobody() -> None:
    proxy = Proxy.of("https://user:secret@proxy.test:3128")
    assert "secret" not in repr(proxy)
    assert "c2VjcmV0" not in repr(proxy)  # as Basic writes it
    assert "dXNlcjpzZWNyZXQ" not in repr(proxy)
    assert proxy.origin.tls


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", 200),
        (b"HTTP/1.0 200\r\n\r\n", 200),
        (b"HTTP/1.1 407 \r\nx: y\r\n\r\n", 407),
        (b"HTTP/2 200\r\n\r\n", None),
        (b"SSH-2.0-x\r\n\r\n", None),
        (b"HTTP/1.1 20\r\n\r\n", None),
        (b"HTTP/1.1 2000\r\n\r\n", None),
        (b"", None),
    ],
)
def test_the_status_of_an_answer_is_read_from_a_first_line_that_is_one(
    head: bytes, status: int | None
) -> None:
    assert status_of(head) == status
