"""The model `tools`: it makes the calls that a script in the conversation says. Pure.

The script is the user's last message that is one: a JSON list of turns, each a text to say or a list of
calls, `[[{"name": "now", "arguments": {}}], "Thank you."]`. Behind its end the model repeats what the tools
of the last turn returned. Which turn it is, the answers behind the script tell.
"""

from typing import Final

import msgspec

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock.wire import ChatRequest, Message

MODEL: Final = "tools"


class ScriptedCall(msgspec.Struct, frozen=True):
    """A call to make."""

    name: str
    arguments: dict[str, object] = {}


Turn = str | tuple[ScriptedCall, ...]

_decode_script = msgspec.json.Decoder(tuple[Turn, ...]).decode


def turn_of(request: ChatRequest) -> Turn:
    """Return the turn that is due.

    :raises BadRequest: no message is a script.
    """
    for place in reversed(range(len(request.messages))):
        message = request.messages[place]
        script = _script(message) if message.role == "user" else None
        if script is not None:
            behind = request.messages[place + 1 :]
            due = sum(each.role == "assistant" for each in behind)
            return script[due] if due < len(script) else _results(behind)
    raise BadRequest(
        "messages: the model 'tools' needs a script in a user's message, such as "
        '[[{"name": "now", "arguments": {}}], "Thank you."]'
    )


def _script(message: Message) -> tuple[Turn, ...] | None:
    texts = message.content if isinstance(message.content, str) else ""
    try:
        return _decode_script(texts)
    except (msgspec.DecodeError, RecursionError):
        return None


def _results(behind: list[Message]) -> str:
    said = []
    for message in reversed(behind):
        if message.role == "assistant":
            break
        if message.role == "tool" and isinstance(message.content, str):
            said.append(message.content)
    return "\n".join(reversed(said))
