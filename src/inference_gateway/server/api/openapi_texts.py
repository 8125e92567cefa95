"""What the OpenAPI document says in sentences of its own. Nothing here runs in the gateway."""

DESCRIPTION = """\
One OpenAI-compatible API in front of every LLM provider.

**Errors** of the gateway are `{"error": "<sentence>"}`. A provider's error keeps its status, and its
body where that is JSON; anything else is wrapped in the same shape. A path that does not exist is a
404, a method that does not exist a 405 with `Allow`.

**Streams** carry `data: <JSON>` and an empty line per event, and `data: [DONE]` after a complete answer
only. A stream that fails midway ends with `data: {"error": "<sentence>"}` and without `[DONE]`.

**Every answer** has an `X-Request-Id`, which is the request's own if it sent one.
"""

STREAM_EXAMPLE = """\
data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1742481679,\
"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},\
"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1742481679,\
"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

"""
