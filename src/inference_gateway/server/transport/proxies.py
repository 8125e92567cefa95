"""Which proxy stands before which provider, and how a request is written to it. Pure.

https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2 (absolute form), #section-3.2.3 (CONNECT)
"""

import ipaddress
import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from inference_gateway.server.settings import ClientSettings, Secret
from inference_gateway.server.transport.origin import Origin

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_PORT = re.compile(r"(?P<host>[^:]*|\[[^\]]*\]):(?P<port>[0-9]{1,5})")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: [^\r\n]*)?\r\n")


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy and what it knows us by."""

    origin: Origin
    credentials: Secret | None = None
    """User and password as Basic authentication writes them."""

    @classmethod
    def of(cls, url: str) -> "Proxy":
        """Proxy at an http or https URL that settings have checked; user and password are percent-decoded."""
        userinfo, at, _ = urlsplit(url).netloc.rpartition("@")
        if not at:
            return cls(Origin.of(url))
        user, _, password = userinfo.partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        return cls(Origin.of(url), Secret(b64encode(pair).decode("ascii")))

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return self.origin.address

    def connect_request(self, origin: Origin) -> bytes:
        """Whole request for a tunnel to an origin."""
        address = origin.address.encode("ascii")
        return b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (address, address, self._authorization())

    def forwarded_head(self, head: bytes, origin: Origin) -> bytes:
        """Turn a request's head, without its blank line, into what a proxy takes for an http origin."""
        method, _, rest = head.partition(b" ")
        before = b"%b http://%b" % (method, origin.authority.encode("ascii"))
        return before + rest + self._authorization()

    def _authorization(self) -> bytes:
        if self.credentials is None:
            return b""
        return b"proxy-authorization: Basic %b\r\n" % self.credentials.reveal().encode("ascii")


def status_of(head: bytes) -> int | None:
    """Status of a proxy's answer; None where its first line is not one of HTTP/1."""
    match = _STATUS_LINE.match(head)
    return int(match[1]) if match else None


class _Rule(msgspec.Struct, frozen=True):
    """One entry of NO_PROXY: a network, or a name with all names below it."""

    network: Network | None
    name: str
    port: int | None

    def covers(self, host: str, address: IPAddress | None, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if address is not None:
            return self.network is not None and address in self.network
        return bool(self.name) and (host == self.name or host.endswith("." + self.name))


class Proxies:
    """The proxies of the operator, and what goes past them.

    :param http: proxy of http origins.
    :param https: proxy of https origins.
    :param exceptions: entries of NO_PROXY; those that cannot be read are kept in `unread`.
    """

    def __init__(
        self, http: Proxy | None = None, https: Proxy | None = None, exceptions: Iterable[str] = ()
    ) -> None:
        self._http = http
        self._https = https
        self._everything = False
        self._rules: list[_Rule] = []
        self.unread: list[str] = []
        for entry in exceptions:
            self._except(entry)

    @classmethod
    def of(cls, client: ClientSettings) -> "Proxies":
        """Proxies that the settings name."""
        http, https = client.http_proxy or client.all_proxy, client.https_proxy or client.all_proxy
        return cls(
            Proxy.of(http.reveal()) if http else None,
            Proxy.of(https.reveal()) if https else None,
            client.no_proxy,
        )

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """Return the proxy that stands before an origin, None where there is none."""
        proxy = self._https if origin.tls else self._http
        if proxy is None or self._everything:
            return None
        host = origin.host.lower().removesuffix(".")
        address = _address(host)
        if _is_loopback(host, address):
            return None
        if any(rule.covers(host, address, origin.port) for rule in self._rules):
            return None
        return proxy

    def _except(self, entry: str) -> None:
        if entry == "*":
            self._everything = True
        elif (rule := _rule(entry.lower())) is not None:
            self._rules.append(rule)
        else:
            self.unread.append(entry)


def _rule(entry: str) -> _Rule | None:
    host, port = entry, None
    if match := _PORT.fullmatch(entry):
        host, port = match["host"], int(match["port"])
    host = host.removeprefix("[").removesuffix("]")
    try:
        network: Network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        name = host.removeprefix("*.").removeprefix(".").removesuffix(".")
        return _Rule(None, name, port) if _NAME.fullmatch(name) else None
    return _Rule(network, "", port)


def _address(host: str) -> IPAddress | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_loopback(host: str, address: IPAddress | None) -> bool:
    if address is not None:
        return address.is_loopback
    return host == "localhost" or host.endswith(".localhost")
