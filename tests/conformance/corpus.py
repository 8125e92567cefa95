"""Requests by the sections of RFC 9112 (and of RFC 9110 where it says so), and what must become of them.

https://www.rfc-editor.org/rfc/rfc9112. Every row is followed by another request on the same connection:
behind what is taken it must be read as the next one, behind what is refused it must never be read.
"""

from typing import NamedTuple

FIRST = b"/proxy/openai/first"
EVIL = b"/proxy/openai/evil"
NEXT = b"/proxy/openai/next"
HOST = b"host: h\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
LAST = b"0\r\n\r\n"
GET = b"GET " + FIRST + b" HTTP/1.1\r\n"
POST = b"POST " + FIRST + b" HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET " + EVIL + b" HTTP/1.1\r\n" + HOST + b"\r\n"
FOLLOWING = b"GET " + NEXT + b" HTTP/1.1\r\n" + HOST + b"\r\n"


class Refused(NamedTuple):
    """Bytes that are answered with `status`, and then the connection is closed."""

    section: str
    name: str
    sent: bytes
    status: int = 400

    @property
    def whole(self) -> bytes:
        return self.sent + SMUGGLED


class Taken(NamedTuple):
    """Bytes that are one request with this body."""

    section: str
    name: str
    sent: bytes
    body: bytes = b""
    persists: bool = True
    """Whether another request may follow on the connection."""

    @property
    def whole(self) -> bytes:
        return self.sent + (FOLLOWING if self.persists else SMUGGLED)


def get(fields: bytes = b"", *, line: bytes = GET) -> bytes:
    """A request without a body."""
    return line + HOST + fields + b"\r\n"


def sized(length: bytes, body: bytes = b"hello") -> bytes:
    """A request with this for its length."""
    return POST + b"content-length:" + length + b"\r\n\r\n" + body


def coded(coding: bytes, body: bytes = b"5\r\nhello\r\n" + LAST) -> bytes:
    """A request with this for its transfer coding."""
    return POST + b"transfer-encoding:" + coding + b"\r\n\r\n" + body


def chunks(body: bytes) -> bytes:
    """A request with this in place of chunks."""
    return POST + CHUNKED + b"\r\n" + body


def ended(trailers: bytes) -> bytes:
    """A request with these trailers."""
    return chunks(b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n")


def both(fields: bytes, body: bytes) -> bytes:
    """A request with fields that contradict each other."""
    return POST + fields + b"\r\n" + body


# CL.TE: a reader of the length takes the smuggled bytes for the body, one of chunks for a request.
CL_TE = LAST + SMUGGLED
# TE.CL: the other way round.
TE_CL = b"%x\r\n%b\r\n" % (len(SMUGGLED), SMUGGLED) + LAST
LENGTH_CL_TE = b"content-length: %d\r\n" % len(CL_TE)

REFUSED = (
    # ---- 2.2 Message parsing
    Refused("2.2", "a bare LF behind the request line", GET[:-2] + b"\n" + HOST + b"\r\n"),
    Refused("2.2", "a bare LF behind a field", GET + b"host: h\n\r\n"),
    Refused("2.2", "a bare LF that hides a field", get(b"x: y\ntransfer-encoding: chunked\r\n")),
    Refused("2.2", "a bare LF for the end of the head", GET + HOST + b"\n"),
    Refused("2.2", "nothing but bare LF", get().replace(b"\r\n", b"\n")),
    Refused("2.2", "a bare CR behind the request line", GET[:-2] + b"\r" + HOST + b"\r\n"),
    Refused("2.2", "a bare CR behind a field", GET + b"host: h\r\r\n"),
    Refused("2.2", "a bare CR in a value", get(b"x: a\rb\r\n")),
    Refused("2.2", "a bare CR that hides a field", get(b"x: y\rtransfer-encoding: chunked\r\n")),
    Refused("2.2", "nothing but bare CR", get().replace(b"\r\n", b"\r")),
    Refused("2.2", "CR and LF the wrong way round", get().replace(b"\r\n", b"\n\r")),
    Refused("2.2", "two CR before the LF", GET + b"host: h\r\r\n\r\n"),
    Refused("2.2", "white space before the first field", GET + b" x: y\r\n" + HOST + b"\r\n"),
    Refused("2.2", "a tab before the first field", GET + b"\tx: y\r\n" + HOST + b"\r\n"),
    Refused("2.2", "bytes that are no text", bytes(range(128, 256)) + b"\r\n\r\n"),
    Refused("2.2", "a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Refused("2.2", "an answer", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    # ---- 2.3 Version
    Refused("2.3", "HTTP/0.9 without a version", b"GET " + FIRST + b"\r\n\r\n", 505),
    Refused("2.3", "HTTP/0.9 in words", get(line=b"GET " + FIRST + b" HTTP/0.9\r\n"), 505),
    Refused("2.3", "HTTP/1.2", get(line=b"GET " + FIRST + b" HTTP/1.2\r\n")),
    Refused("2.3", "HTTP/1.10", get(line=b"GET " + FIRST + b" HTTP/1.10\r\n")),
    Refused("2.3", "HTTP/01.1", get(line=b"GET " + FIRST + b" HTTP/01.1\r\n")),
    Refused("2.3", "HTTP/1", get(line=b"GET " + FIRST + b" HTTP/1\r\n")),
    Refused("2.3", "HTTP/1,1", get(line=b"GET " + FIRST + b" HTTP/1,1\r\n")),
    Refused("2.3", "HTTP/ 1.1", get(line=b"GET " + FIRST + b" HTTP/ 1.1\r\n")),
    Refused("2.3", "http in lower case", get(line=b"GET " + FIRST + b" http/1.1\r\n")),
    Refused("2.3", "another protocol", get(line=b"GET " + FIRST + b" RTSP/1.0\r\n")),
    Refused("2.3", "another protocol, in a version of ours", get(line=b"POST " + FIRST + b" RTSP/1.1\r\n")),
    Refused("2.3", "another protocol of ours by name", get(line=b"OPTIONS /HTTP/1.1 RTSP/1.0\r\n")),
    Refused("2.3", "HTTP/2.0 in words", get(line=b"GET " + FIRST + b" HTTP/2.0\r\n"), 505),
    Refused("2.3", "HTTP/3.0", get(line=b"GET " + FIRST + b" HTTP/3.0\r\n")),
    Refused("2.3", "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    # ---- 3 Request line
    Refused("3", "no target", get(line=b"GET HTTP/1.1\r\n")),
    Refused("3", "an empty target", get(line=b"GET  HTTP/1.1\r\n")),
    Refused("3", "two words for a target", get(line=b"GET " + FIRST + b" x HTTP/1.1\r\n")),
    Refused("3", "several spaces behind the target", get(line=b"GET " + FIRST + b"  HTTP/1.1\r\n")),
    Refused("3", "a space behind the version", get(line=b"GET " + FIRST + b" HTTP/1.1 \r\n")),
    Refused("3", "a word behind the version", get(line=b"GET " + FIRST + b" HTTP/1.1 x\r\n")),
    Refused("3", "a tab for a space", get(line=b"GET\t" + FIRST + b"\tHTTP/1.1\r\n")),
    Refused("3", "a tab before the version", get(line=b"GET " + FIRST + b"\tHTTP/1.1\r\n")),
    Refused("3", "a vertical tab in the target", get(line=b"GET " + FIRST + b"\x0b HTTP/1.1\r\n")),
    Refused("3", "a space before the method", b" " + get()),
    Refused("3.1", "a method in lower case", get(line=b"get " + FIRST + b" HTTP/1.1\r\n")),
    Refused("3.1", "a method that nobody defined", get(line=b"FETCH " + FIRST + b" HTTP/1.1\r\n")),
    Refused("3.1", "a method with a quote", get(line=b'G"ET ' + FIRST + b" HTTP/1.1\r\n")),
    Refused("3.1", "a method with a zero byte", get(line=b"GE\0T " + FIRST + b" HTTP/1.1\r\n")),
    # ---- 3.2 Request target
    Refused("3.2", "too long a target", get(line=b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n"), 414),
    Refused("3.2", "a zero byte in the target", get(line=b"GET " + FIRST + b"\0 HTTP/1.1\r\n")),
    Refused("3.2", "DEL in the target", get(line=b"GET " + FIRST + b"\x7f HTTP/1.1\r\n")),
    Refused("3.2", "a byte beyond ASCII in the target", get(line=b"GET " + FIRST + b"\xe9 HTTP/1.1\r\n")),
    Refused("3.2", "a byte beyond ASCII in the query", get(line=b"GET " + FIRST + b"?\xe9 HTTP/1.1\r\n")),
    Refused("3.2", "a bare CR in the target", get(line=b"GET " + FIRST + b"\rx HTTP/1.1\r\n")),
    Refused("3.2.1", "a path without its slash", get(line=b"GET proxy/openai/first HTTP/1.1\r\n")),
    Refused("3.2.1", "a backslash for a slash", get(line=b"GET \\proxy\\openai\\first HTTP/1.1\r\n")),
    Refused("3.2.1", "a fragment", get(line=b"GET " + FIRST + b"#x HTTP/1.1\r\n")),
    Refused("3.2.2", "another scheme", get(line=b"GET ftp://h" + FIRST + b" HTTP/1.1\r\n")),
    Refused("3.2.2", "a scheme without an authority", get(line=b"GET http://" + FIRST + b" HTTP/1.1\r\n")),
    Refused("3.2.2", "a scheme with one slash", get(line=b"GET http:" + FIRST + b" HTTP/1.1\r\n")),
    Refused("3.2.3", "CONNECT", b"CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n"),
    Refused("3.2.3", "an authority for GET", get(line=b"GET h:80 HTTP/1.1\r\n")),
    Refused("3.2", "no Host", GET + b"\r\n"),
    Refused("3.2", "two Hosts", get(b"host: h\r\n")),
    Refused("3.2", "two Hosts in different cases", get(b"HOST: evil\r\n")),
    # ---- 5 Fields
    Refused("5", "a line without a colon", get(b"x\r\n")),
    Refused("5", "a field without a name", get(b": y\r\n")),
    Refused("5", "nothing but a colon", get(b":\r\n")),
    Refused("5.1", "a space before the colon", get(b"x : y\r\n")),
    Refused("5.1", "a tab before the colon", get(b"x\t: y\r\n")),
    Refused("5.1", "a space in a name", get(b"x y: z\r\n")),
    Refused("5.1", "a space before the colon of the length", both(b"content-length : 5\r\n", b"hello")),
    Refused("5.1", "a space before the colon of the coding", both(b"transfer-encoding : chunked\r\n", LAST)),
    Refused("5.1", "a zero byte in a name", get(b"x\0: y\r\n")),
    Refused("5.1", "a byte beyond ASCII in a name", get(b"\xe9: y\r\n")),
    Refused("5.1", "a bracket in a name", get(b"x[]: y\r\n")),
    Refused("5.1", "a slash in a name", get(b"x/y: z\r\n")),
    Refused("5.2", "a folded line", get(b"x: a\r\n b\r\n")),
    Refused("5.2", "a line folded with a tab", get(b"x: a\r\n\tb\r\n")),
    Refused("5.2", "a folded Host", GET + b"host:\r\n h\r\n\r\n"),
    Refused("5.2", "a folded coding", coded(b"\r\n chunked")),
    Refused("5.2", "a coding folded behind the comma", coded(b" gzip,\r\n chunked")),
    Refused("5.2", "a folded length", sized(b"\r\n 5")),
    Refused("5.5", "a zero byte in a value", get(b"x: a\0b\r\n")),
    Refused("5.5", "a vertical tab in a value", get(b"x: a\x0bb\r\n")),
    Refused("5.5", "a form feed in a value", get(b"x: a\x0cb\r\n")),
    Refused("5.5", "an escape in a value", get(b"x: \x1b[0m\r\n")),
    Refused("5.5", "DEL in a value", get(b"x: a\x7fb\r\n")),
    Refused("5", "a huge field", get(b"x: %b\r\n" % (b"a" * 40_000)), 431),
    Refused("5", "a huge name", get(b"x" * 40_000 + b": y\r\n"), 431),
    Refused("5", "very many fields", get(b"x: y\r\n" * 7000), 431),
    # ---- 6.1 Transfer-Encoding
    Refused("6.1", "CL.TE", both(LENGTH_CL_TE + CHUNKED, CL_TE)),
    Refused("6.1", "TE.CL", both(CHUNKED + b"content-length: 4\r\n", TE_CL)),
    Refused("6.1", "CL.TE with a capital", both(LENGTH_CL_TE + CHUNKED.title(), CL_TE)),
    Refused("6.1", "CL.TE with an unknown coding", both(LENGTH_CL_TE + b"transfer-encoding: x\r\n", CL_TE)),
    Refused("6.1", "CL.TE with identity", both(LENGTH_CL_TE + b"transfer-encoding: identity\r\n", CL_TE)),
    Refused("6.1", "CL.TE with an empty coding", both(LENGTH_CL_TE + b"transfer-encoding:\r\n", CL_TE)),
    Refused("6.1", "a length of zero and chunks", both(b"content-length: 0\r\n" + CHUNKED, CL_TE)),
    Refused("6.1", "TE.TE", both(CHUNKED + CHUNKED, CL_TE)),
    Refused("6.1", "TE.TE with an unknown one last", both(CHUNKED + b"transfer-encoding: x\r\n", CL_TE)),
    Refused(
        "6.1", "TE.TE with an unknown one first", both(b"transfer-encoding: x\r\n" + CHUNKED, CL_TE), 501
    ),
    Refused("6.1", "TE.TE in one field", coded(b" chunked, chunked")),
    Refused("6.1", "chunked, then identity", coded(b" chunked, identity")),
    Refused("6.1", "identity, then chunked", coded(b" identity, chunked"), 501),
    Refused("6.1", "gzip, then chunked", coded(b" gzip, chunked"), 501),
    Refused("6.1", "identity", coded(b" identity"), 501),
    Refused("6.1", "no coding at all", coded(b"")),
    Refused("6.1", "xchunked", coded(b" xchunked"), 501),
    Refused("6.1", "chunkedx", coded(b" chunkedx"), 501),
    Refused("6.1", "a quoted coding", coded(b' "chunked"'), 501),
    Refused("6.1", "a coding with a parameter", coded(b" chunked;q=1"), 501),
    Refused("6.1", "a coding and a comma", coded(b" chunked,")),
    Refused("6.1", "a comma and a coding", coded(b" ,chunked"), 501),
    Refused("6.1", "a tab behind the coding", coded(b" chunked\t")),
    Refused("6.1", "a vertical tab before the coding", coded(b" \x0bchunked")),
    Refused("6.1", "a vertical tab behind the coding", coded(b" chunked\x0b")),
    Refused("6.1", "a zero byte behind the coding", coded(b" chunked\0")),
    Refused("6.1", "a bare CR before the coding", coded(b"\rchunked")),
    Refused("6.1", "a bare LF before the coding", coded(b"\nchunked")),
    Refused("6.1", "a byte beyond ASCII in the coding", coded(b" chun\xeb\xe4ed"), 501),
    Refused(
        "6.1", "chunks in HTTP/1.0", b"POST " + FIRST + b" HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + LAST
    ),
    # ---- 6.2 Content-Length
    Refused("6.2", "two lengths", both(b"content-length: 5\r\ncontent-length: 6\r\n", b"hello")),
    Refused("6.2", "the same length twice", both(b"content-length: 5\r\ncontent-length: 5\r\n", b"hello")),
    Refused("6.2", "a length and none", both(b"content-length: 5\r\ncontent-length:\r\n", b"hello")),
    Refused("6.2", "a list of lengths", sized(b" 5, 5")),
    Refused("6.2", "a list of different lengths", sized(b" 5, 6")),
    Refused("6.2", "a length and a comma", sized(b" 5,")),
    Refused("6.2", "a plus", sized(b" +5")),
    Refused("6.2", "a minus", sized(b" -5")),
    Refused("6.2", "a minus zero", sized(b" -0")),
    Refused("6.2", "an underscore", sized(b" 0_5")),
    Refused("6.2", "hexadecimal", sized(b" 0x5")),
    Refused("6.2", "a point", sized(b" 5.0")),
    Refused("6.2", "an exponent", sized(b" 5e0")),
    Refused("6.2", "quotes", sized(b' "5"')),
    Refused("6.2", "words", sized(b" five")),
    Refused("6.2", "white space within", sized(b" 1 1")),
    Refused("6.2", "nothing", sized(b"")),
    Refused("6.2", "nothing but white space", sized(b" \t ")),
    Refused("6.2", "digits that are not ASCII", sized(b" \xd9\xa5")),
    Refused("6.2", "superscript digits of Latin-1", sized(b" \xb2")),
    Refused("6.2", "more than 64 bits", sized(b" 18446744073709551621")),
    Refused("6.2", "more digits than any number needs", sized(b" " + b"9" * 1000)),
    Refused("6.2", "a vertical tab", sized(b" \x0b5")),
    Refused("6.2", "a zero byte", sized(b" 5\0")),
    # ---- 7.1 Chunks
    Refused("7.1", "a size that is no number", chunks(b"g\r\nhello\r\n" + LAST)),
    Refused("7.1", "no size", chunks(b"\r\nhello\r\n" + LAST)),
    Refused("7.1", "a size with a prefix", chunks(b"0x5\r\nhello\r\n" + LAST)),
    Refused("7.1", "a size with a plus", chunks(b"+5\r\nhello\r\n" + LAST)),
    Refused("7.1", "a negative size", chunks(b"-5\r\nhello\r\n" + LAST)),
    Refused("7.1", "a negative zero", chunks(b"-0\r\n\r\n")),
    Refused("7.1", "an underscore in a size", chunks(b"0_5\r\nhello\r\n" + LAST)),
    Refused("7.1", "a space before a size", chunks(b" 5\r\nhello\r\n" + LAST)),
    Refused("7.1", "a tab behind a size", chunks(b"5\t\r\nhello\r\n" + LAST)),
    Refused("7.1", "a vertical tab behind a size", chunks(b"5\x0b\r\nhello\r\n" + LAST)),
    Refused("7.1", "a size of more than 64 bits", chunks(b"10000000000000005\r\nhello\r\n" + LAST)),
    Refused("7.1", "a size that wraps to zero", chunks(b"10000000000000000\r\n\r\n")),
    Refused("7.1", "a bare LF behind a size", chunks(b"5\nhello\r\n" + LAST)),
    Refused("7.1", "a bare CR behind a size", chunks(b"5\rhello\r\n" + LAST)),
    Refused("7.1", "CR twice behind a size", chunks(b"5\r\r\nhello\r\n" + LAST)),
    Refused("7.1", "no CRLF behind a chunk", chunks(b"5\r\nhello" + LAST)),
    Refused("7.1", "a bare LF behind a chunk", chunks(b"5\r\nhello\n" + LAST)),
    Refused("7.1", "a bare CR behind a chunk", chunks(b"5\r\nhello\r" + LAST)),
    Refused("7.1", "two bytes that are no CRLF behind a chunk", chunks(b"5\r\nhelloxx" + LAST)),
    Refused("7.1", "a chunk longer than its size", chunks(b"5\r\nhello, you\r\n" + LAST)),
    Refused("7.1", "bytes behind the last chunk", ended(b"hello\r\n")),
    Refused("7.1", "a bare LF behind the last chunk", chunks(b"5\r\nhello\r\n0\n\n")),
    Refused("7.1", "a bare LF at the very end", chunks(b"5\r\nhello\r\n0\r\n\n")),
    Refused("7.1", "a semicolon without a size", chunks(b";\r\nhello\r\n" + LAST)),
    # ---- 7.1.1 Chunk extensions
    Refused("7.1.1", "a bare LF in an extension", chunks(b"5;a\nhello\r\n" + LAST)),
    Refused("7.1.1", "a bare CR in an extension", chunks(b"5;a\rb\r\nhello\r\n" + LAST)),
    Refused("7.1.1", "a line that ends in quotes", chunks(b'5;a="\r\nhello\r\n"\r\n' + LAST)),
    Refused("7.1.1", "a bare LF in quotes", chunks(b'5;a="\n"\r\nhello\r\n' + LAST)),
    Refused("7.1.1", "a bare CR in quotes", chunks(b'5;a="\r"\r\nhello\r\n' + LAST)),
    Refused("7.1.1", "an escaped CRLF in quotes", chunks(b'5;a="\\\r\n"\r\nhello\r\n' + LAST)),
    Refused("7.1.1", "a zero byte in an extension", chunks(b"5;a\0\r\nhello\r\n" + LAST)),
    Refused("7.1.1", "a bare LF in the last one's", chunks(b"5\r\nhello\r\n0;a\n\r\n")),
    # ---- 7.1.2 Trailers
    Refused("7.1.2", "a trailer with white space before the colon", ended(b"x : y\r\n")),
    Refused("7.1.2", "a folded trailer", ended(b"x: y\r\n z\r\n")),
    Refused("7.1.2", "a trailer without a name", ended(b": y\r\n")),
    Refused("7.1.2", "a bare LF in a trailer", ended(b"x: y\nz: 1\r\n")),
    Refused("7.1.2", "a length for a trailer", ended(b"content-length: 50\r\n")),
    Refused("7.1.2", "a coding for a trailer", ended(CHUNKED)),
    Refused("7.1.2", "a request for a trailer", chunks(b"5\r\nhello\r\n0\r\n" + SMUGGLED)),
)

TAKEN = (
    Taken("2.2", "an empty line first", b"\r\n" + get()),
    Taken("2.2", "several empty lines first", b"\r\n\r\n\r\n" + get()),
    Taken("2.3", "HTTP/1.0", b"GET " + FIRST + b" HTTP/1.0\r\n\r\n", persists=False),
    Taken("2.3", "HTTP/1.0 with a Host and a body", b"POST " + FIRST + b" HTTP/1.0\r\n" + HOST
          + b"content-length: 5\r\n\r\nhello", b"hello", persists=False),
    Taken("3.2.1", "a query", get(line=b"GET " + FIRST + b"?a=b&c=%0d%0a HTTP/1.1\r\n")),
    Taken("3.2.1", "a query with a URL", get(line=b"GET " + FIRST + b"?u=http://evil/ HTTP/1.1\r\n")),
    Taken("3.2.2", "absolute form", get(line=b"GET http://elsewhere" + FIRST + b" HTTP/1.1\r\n")),
    Taken("3.2.2", "absolute form in capitals", get(line=b"GET HTTP://H:80" + FIRST + b" HTTP/1.1\r\n")),
    Taken("5", "a field twice", get(b"x: a\r\nx: b\r\n")),
    Taken("5", "an empty value", get(b"x:\r\ny: \r\n")),
    Taken("5", "no white space behind the colon", get(b"x:y\r\n")),
    Taken("5", "white space around a value", get(b"x: \t y \t \r\n")),
    Taken("5.1", "every character of a token", get(b"!#$%&'*+-.^_`|~09azAZ: y\r\n")),
    Taken("5.5", "bytes beyond ASCII in a value", get(b"x: gr\xc3\xbc\xdf\r\n")),
    Taken("5.5", "a tab in a value", get(b"x: a\tb\r\n")),
    Taken("6.1", "chunks", coded(b" chunked"), b"hello"),
    Taken("6.1", "a coding in capitals", coded(b" ChUnKeD"), b"hello"),
    Taken("6.1", "white space around a coding", coded(b" \t chunked  "), b"hello"),
    Taken("6.1", "no white space before a coding", coded(b"chunked"), b"hello"),
    Taken("6.1", "chunks for GET", GET + HOST + CHUNKED + b"\r\n5\r\nhello\r\n" + LAST, b"hello"),
    Taken("6.1", "an underscore in Transfer_Encoding", POST
          + b"transfer_encoding: chunked\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    Taken("6.2", "a length", sized(b" 5"), b"hello"),
    Taken("6.2", "leading zeros", sized(b" 0005"), b"hello"),
    Taken("6.2", "white space around a length", sized(b"\t5 \t"), b"hello"),
    Taken("6.2", "a length of zero", sized(b" 0", b"")),
    Taken("6.2", "a length for GET", GET + HOST + b"content-length: 5\r\n\r\nhello", b"hello"),
    Taken("6.2", "an underscore in Content_Length", POST
          + b"content_length: 500\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    Taken("6.3", "a request in a body of known length", sized(b" %d" % len(SMUGGLED), SMUGGLED), SMUGGLED),
    Taken("6.3", "a request in a chunk", chunks(TE_CL), SMUGGLED),
    Taken("6.3", "the end of chunks in a body of known length", sized(b" 5", LAST), LAST),
    Taken("6.3", "neither length nor coding", POST + b"\r\n"),
    Taken("7.1", "several chunks", chunks(b"1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n" + LAST), b"hello"),
    Taken("7.1", "hexadecimal sizes in both cases", chunks(b"a\r\n0123456789\r\nA\r\n0123456789\r\n" + LAST),
          b"0123456789" * 2),
    Taken("7.1", "leading zeros of a size", chunks(b"0000005\r\nhello\r\n" + LAST), b"hello"),
    Taken("7.1", "more than one zero for the last size", chunks(b"5\r\nhello\r\n000\r\n\r\n"), b"hello"),
    Taken("7.1", "CRLF in a chunk", chunks(b"7\r\n\r\n0\r\n\r\n\r\n" + LAST), b"\r\n0\r\n\r\n"),
    Taken("7.1.1", "extensions", chunks(b"5;a;b=c\r\nhello\r\n0;d\r\n\r\n"), b"hello"),
    Taken("7.1.1", "a quoted extension", chunks(b'5;a="b;c=0"\r\nhello\r\n' + LAST), b"hello"),
    Taken("7.1.1", "a long extension", chunks(b"5;a=%b\r\nhello\r\n" % (b"b" * 4000) + LAST), b"hello"),
    Taken("7.1.2", "trailers", ended(b"x: y\r\nz: 1\r\n"), b"hello"),
    Taken("7.1.2", "a Host for a trailer", ended(b"host: evil\r\n"), b"hello"),
    Taken("7.1.2", "credentials for a trailer",
          ended(b"authorization: evil\r\n"), b"hello"),
    Taken("9.3", "close", get(b"connection: close\r\n"), persists=False),
    Taken("9.3", "close among others", get(b"connection: x, Close\r\n"), persists=False),
    Taken("9.3", "close in its own field", get(b"connection: x\r\nconnection: close\r\n"), persists=False),
    Taken("9.3", "keep-alive and close", get(b"connection: keep-alive, close\r\n"), persists=False),
    Taken("9.3", "keep-alive in HTTP/1.0",
          b"GET " + FIRST + b" HTTP/1.0\r\n" + HOST + b"connection: keep-alive\r\n\r\n"),
    Taken("9110 7.8", "an upgrade to HTTP/2", get(b"connection: upgrade\r\nupgrade: h2c\r\n")),
    Taken("9110 7.8", "an upgrade with a body", POST
          + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    Taken("9110 7.8", "an upgrade with chunks", POST
          + b"connection: upgrade\r\nupgrade: h2c\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n" + LAST, b"hello"),
    Taken("9110 7.6.1", "a length that Connection names", POST
          + b"connection: content-length\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    Taken("9110 7.6.1", "a coding that Connection names", POST
          + b"connection: transfer-encoding\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n" + LAST, b"hello"),
    Taken("9110 10.1.1", "an expectation", POST
          + b"expect: 100-continue\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    Taken("9110 9.3.2", "HEAD", get(line=b"HEAD " + FIRST + b" HTTP/1.1\r\n")),
    Taken("9110 9.3.7", "OPTIONS", get(line=b"OPTIONS " + FIRST + b" HTTP/1.1\r\n")),
)  # fmt: skip

ROWS: tuple[Refused | Taken, ...] = (*REFUSED, *TAKEN)


def name_of(row: Refused | Taken) -> str:
    """What a test of this row is called."""
    return f"{row.section} {row.name}"
