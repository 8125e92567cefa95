"""Answers as providers really send them: read, and written again without a difference."""

import json

import pytest

from inference_gateway.models import (
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
    FinishReason,
    Message,
)

OPENAI = """
{"id": "chatcmpl-B9MBs8Cj", "object": "chat.completion", "created": 1741569952, "model": "gpt-4.1-2025-04-14",
 "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!", "refusal": null,
 "annotations": []}, "logprobs": {"content": [{"token": "Hello", "logprob": -0.31725305,
 "bytes": [72, 101, 108, 108, 111], "top_logprobs": [{"token": "Hello", "logprob": -0.31725305,
 "bytes": [72, 101, 108, 108, 111]}, {"token": "Hi", "logprob": -1.3190403, "bytes": [72, 105]}]}],
 "refusal": null}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 19, "completion_tokens": 10,
 "total_tokens": 29, "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
 "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
 "rejected_prediction_tokens": 0}}, "service_tier": "default", "system_fingerprint": null}
"""
OPENAI_TOOL_CALLS = """
{"id": "chatcmpl-abc123", "object": "chat.completion", "created": 1699896916, "model": "gpt-4o-mini",
 "choices": [{"index": 0, "message": {"role": "assistant", "content": null, "tool_calls": [
 {"id": "call_abc123", "type": "function", "function": {"name": "get_current_weather",
 "arguments": "{\\n\\"location\\": \\"Boston, MA\\"\\n}"}},
 {"id": "call_x", "type": "custom", "custom": {"name": "code", "input": "print(1)"}}]},
 "logprobs": null, "finish_reason": "tool_calls"}],
 "usage": {"prompt_tokens": 82, "completion_tokens": 17, "total_tokens": 99}}
"""
GROQ = """
{"id": "chatcmpl-f51b2cd2", "object": "chat.completion", "created": 1730241104,
 "model": "llama-3.3-70b-versatile", "choices": [{"index": 0, "message": {"role": "assistant",
 "content": "Low latency matters.", "reasoning": "The user asks why."}, "logprobs": {"content": [
 {"token": "Low", "logprob": -0.5, "bytes": null, "top_logprobs": []}], "refusal": null},
 "finish_reason": "stop"}],
 "usage": {"queue_time": 0.037493756, "prompt_tokens": 18, "prompt_time": 0.000680594,
 "completion_tokens": 556, "completion_time": 0.463333333, "total_tokens": 574, "total_time": 0.464013927},
 "system_fingerprint": "fp_179b0f92c9", "x_groq": {"id": "req_01jbd6g2qdfw2adyrt2az8hz4w"}}
"""
GEMINI = """
{"choices": [{"finish_reason": "tool_calls", "index": 0, "message": {"role": "assistant", "tool_calls": [
 {"extra_content": {"google": {"thought_signature": "CrcBAR/MhbZ="}, "other": {"a": [1, null]}},
 "function": {"arguments": "{\\"city\\":\\"Paris\\"}", "name": "get_weather"}, "id": "function-call-1",
 "type": "function"}]}}], "created": 1763560321, "id": "gT0eaY_1", "model": "gemini-3-pro-preview",
 "object": "chat.completion", "usage": {"completion_tokens": 15, "prompt_tokens": 95, "total_tokens": 401}}
"""
DEEPSEEK = """
{"id": "930c60df", "object": "chat.completion", "created": 1705651092, "model": "deepseek-reasoner",
 "choices": [{"index": 0, "message": {"role": "assistant", "content": "Three.",
 "reasoning_content": "s-t-r-a-w-b-e-r-r-y has three."}, "logprobs": null, "finish_reason": "stop"}],
 "usage": {"prompt_tokens": 16, "completion_tokens": 10, "total_tokens": 26, "prompt_cache_hit_tokens": 0,
 "prompt_cache_miss_tokens": 16, "prompt_tokens_details": {"cached_tokens": 0},
 "completion_tokens_details": {"reasoning_tokens": 8}}, "system_fingerprint": "fp_a49d71b8a1"}
"""
COHERE = """
{"id": "3e8a5f0c", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant",
 "content": "Hello! How can I help?"}}], "created": 1740155374, "model": "command-a-03-2025",
 "object": "chat.completion", "usage": {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}}
"""
VLLM = """
{"id": "chatcmpl-7f", "object": "chat.completion", "created": 1745000000, "model": "qwen3", "choices": [
 {"index": 0, "message": {"role": "assistant", "reasoning_content": null, "content": "Hi", "tool_calls": null,
 "refusal": null, "function_call": null}, "logprobs": null, "finish_reason": "stop", "stop_reason": null}],
 "usage": {"prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1, "prompt_tokens_details": null},
 "prompt_logprobs": null, "kv_transfer_params": null}
"""
MISTRAL_PARTS = """
{"id": "cf79f7", "object": "chat.completion", "created": 1750000000, "model": "magistral-medium", "choices": [
 {"index": 0, "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text",
 "text": "Hm."}]}, {"type": "text", "text": "Yes."}]}, "finish_reason": "model_length"}],
 "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
"""
ANSWERS = [OPENAI, OPENAI_TOOL_CALLS, GROQ, GEMINI, DEEPSEEK, COHERE, VLLM, MISTRAL_PARTS]

CHUNKS = [
    # OpenAI: role, text, arguments of a call, usage, and Azure's first one with nothing in it
    """{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini",
    "service_tier":"default","system_fingerprint":"fp_44709d6fcb","usage":null,"obfuscation":"x7",
    "choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,
    "finish_reason":null}]}""",
    """{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini",
    "choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":{"content":[{"token":"Hello","logprob":0.0,
    "bytes":[72],"top_logprobs":[]}],"refusal":null},"finish_reason":null}]}""",
    """{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini",
    "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":
    {"name":"get_weather","arguments":""}}]},"finish_reason":null}]}""",
    """{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini",
    "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"c"}}]}}]}""",
    """{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini",
    "choices":[],"usage":{"prompt_tokens":17,"completion_tokens":40,"total_tokens":57}}""",
    """{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[]}""",
    # Ollama
    """{"id":"chatcmpl-509","object":"chat.completion.chunk","created":1742481679,"model":"deepseek-r1:1.5b",
    "system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},
    "finish_reason":null}]}""",
    """{"id":"chatcmpl-509","object":"chat.completion.chunk","created":1742481691,"model":"deepseek-r1:1.5b",
    "system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},
    "finish_reason":"length"}]}""",
    # Gemini: no index in the call
    """{"choices":[{"delta":{"role":"assistant","tool_calls":[{"extra_content":{"google":{"thought_signature":
    "Ew=="}},"function":{"arguments":"{}","name":"f"},"id":"1","type":"function"}]},"finish_reason":
    "tool_calls","index":0}],"created":1763560321,"model":"gemini-3-pro","object":"chat.completion.chunk"}""",
    # DeepSeek
    """{"id":"1f","object":"chat.completion.chunk","created":1718345013,"model":"deepseek-reasoner",
    "system_fingerprint":"fp_a4","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"Hm"},
    "logprobs":null,"finish_reason":null}]}""",
    # Groq
    """{"id":"chatcmpl-f5","object":"chat.completion.chunk","created":1730241104,"model":"gpt-oss-20b",
    "system_fingerprint":"fp_17","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],
    "x_groq":{"id":"req_01","usage":{"queue_time":0.03,"prompt_tokens":1,"completion_tokens":1,
    "total_tokens":2}}}""",
    # Cohere
    """{"id":"3e","choices":[{"index":0,"finish_reason":null,"delta":{"role":"assistant","content":"H"}}],
    "created":1740155374,"model":"command-a-03-2025","object":"chat.completion.chunk"}""",
    # an ending that this release has not heard of
    """{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},
    "finish_reason":"insufficient_system_resource"}]}""",
]


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_written_as_it_was_read(text: str) -> None:
    answer = CreateChatCompletionResponse.model_validate_json(text)
    assert answer.model_dump(by_alias=True, exclude_unset=True) == json.loads(text)
    assert json.loads(answer.model_dump_json(by_alias=True, exclude_unset=True)) == json.loads(text)


@pytest.mark.parametrize("text", CHUNKS)
def test_a_chunk_is_written_as_it_was_read(text: str) -> None:
    chunk = CreateChatCompletionStreamResponse.model_validate(json.loads(text))
    assert chunk.model_dump(by_alias=True, exclude_unset=True) == json.loads(text)


def message_of(text: str) -> Message:
    return CreateChatCompletionResponse.model_validate_json(text).choices[0].message


def test_null_content_is_an_empty_wrapper() -> None:
    content = message_of(OPENAI_TOOL_CALLS).content
    assert content.root is None
    assert not content
    assert content.text == str(content) == ""


def test_missing_content_is_an_empty_wrapper() -> None:
    assert message_of(GEMINI).content.root is None


@pytest.mark.parametrize("text", [GROQ, DEEPSEEK])
def test_reasoning_is_readable_under_both_names(text: str) -> None:
    message = message_of(text)
    assert message.reasoning
    assert message.reasoning == message.reasoning_content


def test_a_reasoning_name_that_was_sent_as_null_takes_the_text_of_the_other() -> None:
    delta = {"reasoning": "Hm", "reasoning_content": None}
    chunk = CreateChatCompletionStreamResponse.model_validate({"choices": [{"delta": delta}]})
    assert chunk.choices[0].delta.reasoning_content == "Hm"


def test_text_is_joined_from_the_parts_of_a_whole_message() -> None:
    assert message_of(MISTRAL_PARTS).content.text == "Yes."


def test_text_is_joined_from_the_parts_of_a_delta() -> None:
    parts = [
        {"type": "thinking", "thinking": []},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    chunk = CreateChatCompletionStreamResponse.model_validate({"choices": [{"delta": {"content": parts}}]})
    assert chunk.choices[0].delta.content == "ab"


def test_a_finish_reason_that_nobody_knew_is_readable() -> None:
    choice = CreateChatCompletionResponse.model_validate_json(MISTRAL_PARTS).choices[0]
    assert choice.finish_reason == "model_length"
    assert isinstance(choice.finish_reason, FinishReason)
    assert not choice.finish_reason.is_known


def test_a_thought_signature_goes_back_verbatim() -> None:
    message = message_of(GEMINI)
    assert message.tool_calls is not None
    extra = message.tool_calls[0].extra_content
    assert extra is not None
    assert extra.google is not None
    assert extra.google.thought_signature == "CrcBAR/MhbZ="
    conversation = [Message(role="user", content="Weather?"), message]
    request = CreateChatCompletionRequest.model_validate({"model": "google/g", "messages": conversation})
    sent = request.model_dump(by_alias=True, exclude_unset=True)["messages"][1]
    assert sent == json.loads(GEMINI)["choices"][0]["message"]


@pytest.mark.parametrize("text", ANSWERS)
def test_sending_an_answer_back_leaves_it_as_it_was(text: str) -> None:
    answer = CreateChatCompletionResponse.model_validate_json(text)
    CreateChatCompletionRequest(model="m", messages=[answer.choices[0].message])
    assert answer.model_dump(by_alias=True, exclude_unset=True) == json.loads(text)


def test_a_tool_call_without_a_type_is_sent_back_with_one() -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    answer = {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}
    message = CreateChatCompletionResponse.model_validate(answer).choices[0].message
    dumped = message.model_dump(exclude_unset=True)
    assert dumped["tool_calls"] == [{**call, "type": "function"}]


@pytest.mark.parametrize("body", [{}, {"error": "no"}, {"choices": None}, {"choices": [{"index": 0}]}])
def test_what_has_no_choices_is_not_an_answer(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"choices|message"):
        CreateChatCompletionResponse.model_validate(body)
