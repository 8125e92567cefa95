"""The data plane: HTTP/1.1 towards clients and towards providers, on asyncio."""
