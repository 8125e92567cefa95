"""An agent's stream on its way to the client."""

from inference_gateway.server.a2a.agent_stream import AgentStream
from inference_gateway.server.encodings import Decoder
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.transport.messages import Response
from inference_gateway.server.transport.relay import Relay
from inference_gateway.server.transport.upstream import Answer


class AgentRelay(Relay):
    """Relays an agent's stream; one that the agent ended with an error of its own ends in order."""

    __slots__ = ("response",)

    def __init__(self, answer: Answer, stream: AgentStream, *, decoder: Decoder | None) -> None:
        super().__init__(answer, stream, decoder=decoder)
        self.response: Response

    def _conclude(self) -> None:
        stream = self._stream
        if stream.outcome is not Outcome.PROVIDER_ERROR or stream.problem:
            super()._conclude()
            return
        self.response.outcome = Outcome.PROVIDER_ERROR
        sink, self._sink = self._sink, None
        self._answer.close()
        if sink is not None:
            sink.finish()
