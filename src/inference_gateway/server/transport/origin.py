"""Where a provider is: scheme, host, port and the path that its API begins at."""

from urllib.parse import urlsplit

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host and port: what connections are pooled by."""

    tls: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Origin of an absolute http or https URL that settings have checked."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        assert parts.hostname is not None
        return cls(tls=tls, host=parts.hostname, port=parts.port or (443 if tls else 80))

    @property
    def authority(self) -> str:
        """Value of `Host`: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"
