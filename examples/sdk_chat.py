"""A conversation in the terminal, streamed. Give the model as the argument; an empty line ends it.

INFERENCE_GATEWAY_URL and INFERENCE_GATEWAY_TOKEN say which gateway; without them, it is the local one.
"""

import sys

from inference_gateway import InferenceGatewayClient, InferenceGatewayError, Message


def line() -> str:
    """Read what the user types; "" at the end of the input too."""
    try:
        return input("> ").strip()
    except EOFError:
        return ""


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "mock/echo"
    conversation: list[Message] = []
    with InferenceGatewayClient.from_env(timeout=60) as client:
        while said := line():
            conversation.append(Message(role="user", content=said))
            try:
                conversation.append(answer(client, model, conversation))
            except InferenceGatewayError as error:
                conversation.pop()
                print(f"\n{error}")


def answer(client: InferenceGatewayClient, model: str, conversation: list[Message]) -> Message:
    with client.create_chat_completion_stream(model, conversation) as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
        print()
        return stream.get_final_completion().choices[0].message


if __name__ == "__main__":
    main()
