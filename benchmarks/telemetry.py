"""What counting costs a request: `python -m benchmarks.telemetry`. One process, no socket.

The same request goes through a handler with and without the stage that measures it.
"""

import asyncio
import time

from inference_gateway.server.codec import Document
from inference_gateway.server.inference import InferenceRequest, Operation
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.pipeline.chain import Handler, compose
from inference_gateway.server.pipeline.measuring import Measuring
from inference_gateway.server.telemetry.recorder import Recorder
from inference_gateway.server.telemetry.totals import Totals
from inference_gateway.server.transport.messages import Response

_ROUNDS = 7
_REQUESTS = 20_000
_CHAT = Operation(name="chat", endpoint="chat_path")
_DOCUMENT = Document(b'{"model":"openai/m","messages":[]}')
_USAGE = b'{"prompt_tokens":17,"completion_tokens":100,"total_tokens":117}'
_ANSWER = b'{"choices":[],"usage":' + _USAGE + b"}"


async def answer(request: InferenceRequest) -> Response:
    request.provider_id = "openai"
    if request.measurement is not None:
        request.measurement.note(_USAGE)
    return Response(200, [], _ANSWER)


async def seconds(handler: Handler) -> float:
    """CPU time of so many requests."""
    began = time.process_time()
    for _ in range(_REQUESTS):
        await handler(InferenceRequest(_CHAT, _DOCUMENT, headers=[]))
    return time.process_time() - began


async def measure() -> float:
    """CPU time that counting adds to a request, in microseconds: the median of the rounds."""
    totals = Totals()
    recorder = Recorder(totals, ["openai"], max_models=200)
    measured = compose([Measuring(recorder)], answer)

    async def counted(request: InferenceRequest) -> Response:
        response = await measured(request)
        assert request.measurement is not None
        recorder.ended(request, request.measurement, Outcome.COMPLETE, now=time.perf_counter())
        return response

    added = [await seconds(counted) - await seconds(answer) for _ in range(_ROUNDS)]
    totals.close()
    return sorted(added)[_ROUNDS // 2] / _REQUESTS * 1e6


if __name__ == "__main__":
    print(f"counting adds {asyncio.run(measure()):.2f} µs of CPU time to a request")
