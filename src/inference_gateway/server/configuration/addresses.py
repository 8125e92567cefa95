"""URLs of providers and proxies, and web origins, checked. No message shows the text: it may hold a key."""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_VISIBLE: Final = re.compile(r"[!-~]+")
_NETLOC: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?)(?::(?P<port>[0-9]{1,5}))?"
)
_USERINFO: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+")
_APPLICATION_ORIGIN: Final = re.compile(
    r"(?:app|capacitor|chrome-extension|ionic|moz-extension|safari-web-extension|tauri|vscode-webview)"
    r"://[A-Za-z0-9._-]+"
)
"""Pages of browser extensions and desktop programs; a list, so that a misspelt https is found."""
_PORTS: Final = {"http": 80, "https": 443}


class Refused(ValueError):
    """A text is not what its setting takes; the message says what would be."""


def _split(text: str, *, key: str = "the provider's key", instead: str = "give it without") -> SplitResult:
    if not _VISIBLE.fullmatch(text) or "\\" in text:
        raise Refused("the URL has white space, a backslash or a letter outside ASCII in it")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise Refused("the URL's host cannot be read") from error
    if parts.scheme not in _PORTS:
        raise Refused("the URL does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise Refused("a user name or password cannot be part of the URL; use " + key)
    if not _is_netloc(parts.netloc):
        raise Refused("the URL's host or port is missing or malformed; give one such as https://host:8443")
    if "?" in text or "#" in text:
        raise Refused(f"the URL has a query or a fragment; {instead}")
    return parts


def _is_netloc(netloc: str) -> bool:
    match = _NETLOC.fullmatch(netloc)
    if not match or not 0 < int(match["port"] or 1) <= 65535:
        return False
    try:
        ipaddress.IPv6Address(match["v6"] or "::")
    except ValueError:
        return False
    return True


def base_url(text: str) -> str:
    """Check a provider's base URL and take its trailing slashes off.

    :raises Refused: it is not http or https, lacks a host, or has a user, query or fragment.
    """
    parts = _split(text)
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def collector(text: str) -> str:
    """Check the URL of what takes traces and leave it as it is.

    :raises Refused: it is not http or https, lacks a host, or has a user, query or fragment.
    """
    _split(text, key="OTEL_EXPORTER_OTLP_HEADERS")
    return text


def endpoint(text: str) -> str:
    """Check the URL of an MCP server and leave it as it is: a slash at its end may count.

    :raises Refused: it is not http or https, lacks a host, or has a user, query or fragment.
    """
    _split(text, key="the `token` of an entry of the file", instead="give `query` in an entry of the file")
    return text


def issuer(text: str) -> str:
    """Check the URL of an issuer of tokens and leave it as it is: tokens repeat it to the letter.

    :raises Refused: it is not https (or http on loopback), lacks a host, or has a user, query or fragment.
    """
    parts = _split(text)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise Refused(
            "an issuer beyond this machine must be https: whoever answers in its place decides who may call"
        )
    return text


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or address alone; nothing is resolved."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(text: str) -> str:
    """Check a web origin and write it as browsers do: lower case, no default port; a program's as it is.

    :raises Refused: it is not scheme://host[:port].
    """
    if _APPLICATION_ORIGIN.fullmatch(text):
        return text
    parts = _split(text)
    if parts.path:
        raise Refused(
            "an origin has no path and no slash at its end; give one such as https://app.example.com"
        )
    netloc = parts.netloc.lower()
    return f"{parts.scheme}://{netloc.removesuffix(f':{_PORTS[parts.scheme]}')}"


def proxy(text: str) -> str:
    """Check a proxy's URL and write it whole: with its scheme, without a slash at its end.

    :raises Refused: it is not http or https, lacks a host, or has a path, query or fragment.
    """
    url = text if "://" in text else f"http://{text}"
    scheme, _, rest = url.partition("://")
    if scheme.lower().startswith("socks"):
        raise Refused(
            "SOCKS proxies are not part of this version; give one that begins with http:// or https://"
        )
    userinfo, at, netloc = rest.rpartition("@")
    if at and not _USERINFO.fullmatch(userinfo):
        raise Refused("the proxy's user or password has a character that is to be percent-encoded")
    parts = _split(f"{scheme}://{netloc}")
    if parts.path.strip("/"):
        raise Refused("a proxy's URL has no path; give one such as http://host:3128")
    return f"{parts.scheme}://{userinfo}{at}{parts.netloc}"
