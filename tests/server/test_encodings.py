"""Codings undone piece by piece, with a bound."""

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server import encodings
from inference_gateway.server.errors import UpstreamError

TEXT = b"data: {}\n\n" * 50
PACKED = gzip.compress(TEXT)


def feed(coding: bytes, pieces: list[bytes], *, limit: int = 10_000) -> tuple[bytes, bool]:
    decoder = encodings.decoder(coding, limit=limit)
    assert decoder is not None
    return b"".join([decoder.feed(piece) for piece in pieces]), decoder.whole


@given(st.lists(st.integers(0, len(PACKED))))
def test_pieces_cut_anywhere_give_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(PACKED)]
    assert feed(b"gzip", [PACKED[a:b] for a, b in pairwise(edges)]) == (TEXT, True)


def test_what_is_not_whole_does_not_look_whole() -> None:
    for offset in range(len(PACKED)):
        plain, whole = feed(b"gzip", [PACKED[:offset]])
        assert TEXT.startswith(plain)
        assert not whole


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b" x-gzip "])
def test_gzip_goes_by_several_names(coding: bytes) -> None:
    assert feed(coding, [PACKED]) == (TEXT, True)


def test_deflate_is_undone() -> None:
    assert feed(b"deflate", [zlib.compress(TEXT)]) == (TEXT, True)


@pytest.mark.parametrize("coding", [None, b"", b"identity", b" Identity "])
def test_where_there_is_nothing_to_undo_there_is_no_decoder(coding: bytes | None) -> None:
    assert encodings.decoder(coding, limit=1) is None


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip", b"gzip2"])
def test_a_coding_that_is_not_known_is_refused(coding: bytes) -> None:
    with pytest.raises(UpstreamError, match="encoded"):
        encodings.decoder(coding, limit=1)


def test_a_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(UpstreamError, match="larger"):
        feed(b"gzip", [bomb], limit=1000)
    assert feed(b"gzip", [gzip.compress(bytes(1000))], limit=1000) == (bytes(1000), True)


@pytest.mark.parametrize(
    "pieces", [[b"rubbish"], [PACKED[:40] + b"rubbish" * 9], [PACKED, b"x"], [PACKED + PACKED]]
)
def test_what_is_not_the_coding_or_goes_on_behind_it_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(UpstreamError, match="encoded"):
        feed(b"gzip", pieces)
