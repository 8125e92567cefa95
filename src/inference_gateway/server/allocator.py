"""How the C library keeps memory that was freed, where that is glibc.

As it comes, it gives the end of the heap back as soon as 128 KiB of it are free, and takes every larger body
from the system by itself: a gateway has the pages of each large body mapped and zeroed anew.
https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h."""
_KEPT = 16 * 1024 * 1024
"""Free bytes at the end of the heap that are kept for the next bodies."""
_FROM_HEAP = 1024 * 1024
"""Bytes up to which a piece of memory comes from the heap."""


def keep_freed_memory() -> None:
    """Keep what bodies leave for the next ones; nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _FROM_HEAP)
