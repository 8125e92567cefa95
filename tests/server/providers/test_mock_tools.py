"""The mock's model `tools`: a script in the conversation, followed turn by turn."""

import json
from typing import Any

import pytest

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock import answers

SCRIPT = json.dumps([[{"name": "now"}, {"name": "add", "arguments": {"a": 1, "b": [2]}}], "and then", []])


def said(*behind: dict[str, Any], script: str = SCRIPT, **members: Any) -> Any:
    messages = [{"role": "system", "content": "be good"}, {"role": "user", "content": script}, *behind]
    request = json.dumps({"model": "tools", "messages": messages, **members}).encode()
    return json.loads(answers.answer(answers.parse(request)))["choices"][0]


def result(text: str) -> dict[str, str]:
    return {"role": "tool", "tool_call_id": "x", "content": text}


ANSWERED = {"role": "assistant", "content": ""}


def test_a_turn_of_calls_makes_them_all() -> None:
    choice = said()
    assert choice["finish_reason"] == "tool_calls"
    functions = [call["function"] for call in choice["message"]["tool_calls"]]
    assert [f["name"] for f in functions] == ["now", "add"]
    assert [json.loads(f["arguments"]) for f in functions] == [{}, {"a": 1, "b": [2]}]
    assert len({call["id"] for call in choice["message"]["tool_calls"]}) == 2


def test_a_turn_of_text_says_it_whatever_was_asked_in_between() -> None:
    between = {"role": "user", "content": "an image, maybe"}
    choice = said(ANSWERED, result("noon"), between)
    assert (choice["message"]["content"], choice["finish_reason"]) == ("and then", "stop")


def test_behind_its_end_it_repeats_what_the_last_tools_returned() -> None:
    behind = (ANSWERED, result("old"), ANSWERED, ANSWERED, result("one"), result("two"))
    assert said(*behind)["message"]["content"] == "one\ntwo"


def test_the_last_script_counts() -> None:
    choice = said(ANSWERED, {"role": "user", "content": '["anew"]'})
    assert choice["message"]["content"] == "anew"


def test_a_stream_numbers_the_calls() -> None:
    request = {"model": "tools", "stream": True, "messages": [{"role": "user", "content": SCRIPT}]}
    *events, _ = answers.events(answers.parse(json.dumps(request).encode()))
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in events]
    pieces = [piece for delta in deltas for piece in delta.get("tool_calls", ())]
    written = {
        index: "".join(p["function"]["arguments"] for p in pieces if p["index"] == index) for index in (0, 1)
    }
    assert {index: json.loads(text) for index, text in written.items()} == {0: {}, 1: {"a": 1, "b": [2]}}


@pytest.mark.parametrize("script", ["hello", "{}", "[1]", '[[{"arguments": {}}]]', "[" * 100_000])
def test_without_a_script_it_says_how_to_write_one(script: str) -> None:
    with pytest.raises(BadRequest, match="needs a script"):
        said(script=script)
