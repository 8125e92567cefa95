"""The built-in provider: a model without weights, so that the first request works without any key.

`answers` is its face: bytes in, bytes out, the same answer to the same request. No I/O.
"""
