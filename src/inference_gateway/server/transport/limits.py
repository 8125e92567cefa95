"""What one connection of a client may ask for, and what the pool of those to providers may keep."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What one connection may ask of the server. Sizes in bytes, times in seconds, `inf` is no bound."""

    max_header_size: int = 32 * 1024
    max_url_size: int = 8 * 1024
    max_body_size: int = 10 * 1024 * 1024
    max_connections: int = 10_000
    read_timeout: float = 30.0
    write_timeout: float = 30.0
    idle_timeout: float = 120.0


class PoolLimits(msgspec.Struct, frozen=True):
    """Caps and patience. Times in seconds; `inf` is no bound."""

    connect_timeout: float = 10.0
    """To a connection without TLS, a proxy's part in it included; and for a free one at the cap."""
    tls_handshake_timeout: float = 10.0
    idle_timeout: float = 30.0
    max_idle: int = 1024
    max_idle_per_origin: int = 256
    max_per_origin: int = 0
    """0 is no cap."""
