"""URLs of providers and origins of web pages, checked. No message shows the text: it may hold a key."""

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_VISIBLE: Final = re.compile(r"[!-~]+")
_NETLOC: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?)(?::(?P<port>[0-9]{1,5}))?"
)
_PORTS: Final = {"http": 80, "https": 443}


class Refused(ValueError):
    """A text is not what its setting takes; the message says what would be."""


def _split(text: str) -> SplitResult:
    if not _VISIBLE.fullmatch(text) or "\\" in text:
        raise Refused("the URL has white space, a backslash or a letter outside ASCII in it")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise Refused("the URL's host cannot be read") from error
    if parts.scheme not in _PORTS:
        raise Refused("the URL does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise Refused("a user name or password cannot be part of the URL; use the provider's key")
    if not _is_netloc(parts.netloc):
        raise Refused("the URL's host or port is missing or malformed; give one such as https://host:8443")
    if "?" in text or "#" in text:
        raise Refused("the URL has a query or a fragment; give it without")
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


def origin(text: str) -> str:
    """Check a web origin and write it as browsers do: lower case, no default port.

    :raises Refused: it is not scheme://host[:port].
    """
    parts = _split(text)
    if parts.path:
        raise Refused(
            "an origin has no path and no slash at its end; give one such as https://app.example.com"
        )
    netloc = parts.netloc.lower()
    return f"{parts.scheme}://{netloc.removesuffix(f':{_PORTS[parts.scheme]}')}"
