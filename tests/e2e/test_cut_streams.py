"""The `openai` package reads recorded streams that end anywhere, and takes no cut answer for a whole one."""

import asyncio
import gc
import traceback
from collections.abc import Callable, Iterator
from itertools import accumulate

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from fakes.gateway import FakeGateway
from fakes.provider import Call, FakeProvider
from fakes.recordings import RECORDINGS, Recording

MESSAGES = [{"role": "user", "content": "hi"}]
STRIDE = 149

recorded = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


def offsets(recording: Recording) -> list[int]:
    """A sample: around the borders of events, and every so many bytes."""
    borders = accumulate(map(len, recording.events), initial=0)
    sample = {border + near for border in borders for near in (-2, -1, 0, 1, 2)}
    return sorted(
        {o for o in sample | set(range(0, len(recording.data), STRIDE)) if 0 <= o < len(recording.data)}
    )


def cuts(recording: Recording) -> Iterator[tuple[str, bool]]:
    """Names of models that the provider takes for orders, and whether the answer is whole."""
    borders = set(accumulate(map(len, recording.events)))
    for offset in offsets(recording):
        yield f"openai/broken-{offset}", False
        # Behind the answer, half of an event may or may not lack what matters.
        if offset < recording.answer_end or offset in borders:
            yield f"openai/ended-{offset}", offset >= recording.answer_end


def plays(recording: Recording) -> Callable[[Call], "asyncio.Future[None]"]:
    async def script(call: Call) -> None:
        how, _, offset = call.json()["model"].partition("-")
        await call.begin_stream()
        if data := recording.data[: int(offset)]:
            await call.piece(data)
        if how == "ended":
            await call.end_stream()
        else:
            call.close()

    return script  # type: ignore[return-value]  # a coroutine function, as any script


def text(chunks: list[ChatCompletionChunk]) -> str:
    said = [c.choices[0].delta.content or "" for c in chunks if c.choices and c.choices[0].index == 0]
    return "".join(said)


@recorded
def test_the_blocking_client(gateway: FakeGateway, provider: FakeProvider, recording: Recording) -> None:
    provider.script = plays(recording)
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        for model, whole in cuts(recording):
            chunks: list[ChatCompletionChunk] = []
            with client.chat.completions.create(model=model, messages=MESSAGES, stream=True) as stream:  # type: ignore[call-overload]
                if whole:
                    chunks.extend(stream)
                    assert text(chunks) == recording.text
                else:
                    with pytest.raises(openai.APIError) as caught:
                        chunks.extend(stream)
                    assert str(caught.value.body).startswith("the provider"), model
                    assert recording.text.startswith(text(chunks)), model


@recorded
async def test_the_asynchronous_client(
    gateway: FakeGateway, provider: FakeProvider, recording: Recording
) -> None:
    provider.script = plays(recording)
    async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:

        async def read(model: str, *, whole: bool) -> None:
            async with await client.chat.completions.create(
                model=model, messages=MESSAGES, stream=True
            ) as stream:  # type: ignore[call-overload]
                if whole:
                    assert text([chunk async for chunk in stream]) == recording.text
                else:
                    with pytest.raises(openai.APIError) as caught:
                        [chunk async for chunk in stream]
                    assert str(caught.value.body).startswith("the provider"), model
                    # The package leaves its generators half read, in a circle with the traceback: they are
                    # let go here, on their own loop, not by a collection in the thread of the gateway.
                    traceback.clear_frames(caught.tb)

        gc.disable()
        try:
            for model, whole in cuts(recording):
                await read(model, whole=whole)
        finally:
            gc.enable()


def test_a_plain_answer_cut_at_any_byte_is_an_error(gateway: FakeGateway, provider: FakeProvider) -> None:
    answer = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[]}'

    async def script(call: Call) -> None:
        how, _, offset = call.json()["model"].partition("-")
        framing = (
            b"transfer-encoding: chunked\r\n\r\n%x\r\n" if how == "chunked" else b"content-length: %d\r\n\r\n"
        )
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + framing % len(answer)
        await call.raw(head + answer[: int(offset)])
        call.close()

    provider.script = script
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="x", max_retries=0) as client:
        for offset in range(0, len(answer) + 1, 9):
            for how in ("chunked", "sized"):
                if how == "sized" and offset == len(answer):
                    continue
                with pytest.raises(openai.InternalServerError):
                    client.chat.completions.create(model=f"openai/{how}-{offset}", messages=MESSAGES)  # type: ignore[arg-type]
