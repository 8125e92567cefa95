"""Where a provider is: scheme, host, port, and what connections to it are pooled by."""

from urllib.parse import quote, urlsplit

import msgspec


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """Scheme, host and port, and whose TLS context is used: what connections are pooled by."""

    tls: bool
    host: str
    port: int
    identity: str = ""
    """Name of the TLS context that its connections need; empty for the common one."""

    @classmethod
    def of(cls, url: str, *, identity: str = "") -> "Origin":
        """Origin of an absolute http or https URL that settings have checked."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        assert parts.hostname is not None
        port = parts.port or (443 if tls else 80)
        return cls(tls=tls, host=parts.hostname, port=port, identity=identity)

    @property
    def authority(self) -> str:
        """Value of `Host`: the port only where it is not the scheme's own."""
        return self._bracketed if self.port == (443 if self.tls else 80) else self.address

    @property
    def address(self) -> str:
        """Host and port, whatever the port."""
        return f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def target(url: str) -> bytes:
    """What of an absolute URL goes into a request's first line: path and query."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return (f"{path}?{query}" if query else path).encode("ascii")
