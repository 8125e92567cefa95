"""Requests and replies of JSON-RPC, read from whatever comes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_gateway.server.a2a import jsonrpc
from inference_gateway.server.a2a.jsonrpc import AgentRefused, BadCall, Unreadable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2]),
        "id": VALUES,
        "method": VALUES,
        "params": VALUES,
        "result": VALUES,
        "error": VALUES | st.just({"code": -32001, "message": "no"}),
    },
)
BODIES = st.binary(max_size=50) | MEMBERS.map(lambda members: json.dumps(members).encode())


@given(BODIES)
def test_what_comes_is_a_request_or_refused_with_a_code_and_an_id(body: bytes) -> None:
    try:
        asked = jsonrpc.read_request(body)
        params = jsonrpc.params_of(asked)
    except BadCall as error:
        told = json.loads(jsonrpc.failure(error.id, error))
        refused = told["error"]["code"]
    else:
        refused = None
        given = json.loads(body)
        assert params == given.get("params", {})
        assert json.loads(asked.id) == given["id"]
    assert refused in {None, -32700, -32600, -32602}


@given(BODIES)
def test_both_ways_to_read_a_reply_agree(body: bytes) -> None:
    for may_be_void in (False, True):
        try:
            jsonrpc.result_of(body, may_be_void=may_be_void)
            read: Any = "result"
        except AgentRefused:
            read = "error"
        except Unreadable:
            read = None
        try:
            peeked: Any = "error" if jsonrpc.is_error(body, may_be_void=may_be_void) else "result"
        except Unreadable:
            peeked = None
        # An error that lacks its code is passed on, but cannot be translated.
        assert read == peeked or (read is None and peeked == "error")


@pytest.mark.parametrize("text", [r'"\ud83d"', "1180591620717411303424", r'{"a":["\ud800"]}'])
def test_what_only_lenient_readers_read_is_written_again(text: str) -> None:
    reply = f'{{"jsonrpc":"2.0","id":1,"result":{text}}}'.encode()
    assert not jsonrpc.is_error(reply)
    assert json.loads(jsonrpc.success(b"1", jsonrpc.result_of(reply)))["result"] == json.loads(text)


def test_no_message_shows_what_an_agent_sent() -> None:
    with pytest.raises(Unreadable) as caught:
        jsonrpc.result_of(b'{"jsonrpc":"2.0","error":"canary"}')
    assert "canary" not in str(caught.value)
