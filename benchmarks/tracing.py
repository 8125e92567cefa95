"""What a trace costs a request: `python -m benchmarks.tracing`. One process, no socket.

The same request goes through a handler with and without the parts that trace it. All CPU time of the process
counts, the writing of spans behind the requests included; only sending them is left out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from inference_gateway.server.codec import Document
from inference_gateway.server.inference import InferenceRequest, Operation
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline.call_spans import CallSpans
from inference_gateway.server.pipeline.chain import compose
from inference_gateway.server.providers.registry import Provider
from inference_gateway.server.spans import Trace
from inference_gateway.server.tasks import Background
from inference_gateway.server.tracing.export import Exporter, Terms
from inference_gateway.server.tracing.sampling import sampler
from inference_gateway.server.tracing.tracer import Tracer
from inference_gateway.server.transport.call import Call
from inference_gateway.server.transport.connector import Connector
from inference_gateway.server.transport.limits import PoolLimits
from inference_gateway.server.transport.messages import Header, Request, Response
from inference_gateway.server.transport.pool import Pool

_ROUNDS = 7
_REQUESTS = 10_000
_CHAT = Operation(name="chat", endpoint="chat_path")
_PROVIDER = Provider(id="openai", name="OpenAI", base_url="https://api.openai.com/v1")
_DOCUMENT = Document(b'{"model":"openai/m","messages":[],"temperature":0.7,"max_tokens":100}')
_ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m-2026-01-01","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":17,'
    b'"completion_tokens":100,"total_tokens":117}}'
)
_PARENT: Header = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
_PLAIN: Header = (b"content-type", b"application/json")


class _Taken:
    """The answer of a collector that takes everything."""

    status = 200

    async def read(self, limit: int) -> bytes:
        return b""

    def close(self) -> None: ...


class _Nowhere(Pool):
    """Connections that lead nowhere."""

    async def send(self, call: Call) -> _Taken:  # type: ignore[override]  # does what is asked of it
        return _Taken()


async def answer(request: InferenceRequest) -> Response:
    """Answer as a provider does."""
    return Response(200, [], _ANSWER)


def asked(header: Header) -> tuple[Request, InferenceRequest]:
    """Make a request, with the fields that matter here."""
    request = Request("POST", b"/v1/chat/completions", headers=[_PLAIN, header], body=None)  # type: ignore[arg-type]  # unread
    request.request_id = "req_0123456789abcdef00000001"
    inference = request.inference = InferenceRequest(_CHAT, _DOCUMENT, headers=[header])
    inference.provider_id, inference.upstream_model = "openai", "m"
    return request, inference


async def seconds(work: Callable[[Request, InferenceRequest], Awaitable[object]], header: Header) -> float:
    """CPU time of so many requests."""
    began = time.process_time()
    for number in range(_REQUESTS):
        await work(*asked(header))
        if number % 10 == 9:
            await asyncio.sleep(0)  # spans are written in between
    return time.process_time() - began


async def measure(name: str, header: Header) -> float:
    """CPU time that a sampler adds to a request, in microseconds: the median of the rounds."""
    terms = Terms(
        url="http://localhost:4318/v1/traces",
        headers={},
        gzip=False,
        timeout=10.0,
        export_timeout=30.0,
        delay=5.0,
        most_waiting=100_000,
        most_at_once=512,
    )
    background = Background()

    async def traced() -> float:
        exporter = Exporter(terms, _Nowhere(PoolLimits(), Connector({})), lambda: {"service.name": "gateway"})
        tracer = Tracer(sampler(name, 1.0), exporter, scheme="http", propagates=True, captures=False)
        handler = compose([CallSpans({"openai": _PROVIDER}, propagates=True)], answer)
        exporter.start(background)

        async def work(request: Request, inference: InferenceRequest) -> None:
            trace = inference.trace = tracer.begin(request)
            response = await handler(inference)
            if isinstance(trace, Trace):
                request.status = response.status
                tracer.end(request, trace, Outcome.COMPLETE, route="/v1/chat/completions")

        taken = await seconds(work, header)
        began = time.process_time()
        await exporter.close()  # until the last span is written
        assert not exporter.dropped
        return taken + time.process_time() - began

    async def plain(request: Request, inference: InferenceRequest) -> None:
        await answer(inference)

    added = [await traced() - await seconds(plain, header) for _ in range(_ROUNDS)]
    return sorted(added)[_ROUNDS // 2] / _REQUESTS * 1e6


async def main() -> None:
    """Measure and print."""
    for what, name, header in (
        ("a request that is traced", "parentbased_always_on", _PARENT),
        ("one whose client does not trace", "parentbased_always_on", (_PARENT[0], _PARENT[1][:-1] + b"0")),
        ("one that is left out here", "always_off", _PARENT),
    ):
        print(f"{what:<32} {await measure(name, header):6.2f} µs of CPU time")


if __name__ == "__main__":
    asyncio.run(main())
