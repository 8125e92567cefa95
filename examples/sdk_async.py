"""Ask several questions at once, on an event loop, and print the answers in order."""

import asyncio
import sys

from inference_gateway import AsyncInferenceGatewayClient, Message

QUESTIONS = ("What is a gateway?", "What is a token?", "What is a stream?")


async def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "mock/echo"
    async with AsyncInferenceGatewayClient.from_env(timeout=60) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(client, model, question)) for question in QUESTIONS]
    for question, task in zip(QUESTIONS, tasks, strict=True):
        print(f"{question}\n  {task.result()}")


async def ask(client: AsyncInferenceGatewayClient, model: str, question: str) -> str:
    completion = await client.create_chat_completion(model, [Message(role="user", content=question)])
    return completion.choices[0].message.content.text


if __name__ == "__main__":
    asyncio.run(main())
