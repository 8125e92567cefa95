"""Which faults a call gets: those that its header or its model asks for, while they last."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.providers.mock import answers, fault_grammar
from inference_gateway.server.providers.mock.fault_grammar import FaultList
from inference_gateway.server.providers.mock.faults import Faults
from inference_gateway.server.providers.mock.plan import Plan, plan
from inference_gateway.server.providers.mock.wire import decode

_MOST_KEYS: Final = 1024


class _History(msgspec.Struct):
    began: float
    calls: int = 0


class Lab:
    """Plans answers, and remembers the calls of faults that pass.

    :param clock: time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._histories: OrderedDict[str, _History] = OrderedDict()

    def plan(self, body: bytes, header: bytes | None) -> Plan:
        """Plan the answer to a chat completion request.

        :param header: value of `X-Mock-Faults`, None where the model's name is to say.
        :raises BadRequest: the request is malformed, or a fault is; the text names it.
        :raises NotFound: the mock has no such model.
        """
        request = answers.parse(body)
        asked = fault_grammar.parse(_text(request.model, header))
        faults = self._lasting(asked)
        if faults.no_prefill and decode(body).messages[-1].role == "assistant":
            faults = Faults(status=400, code="assistant_prefill_not_supported")
        return plan(request, faults)

    def _lasting(self, asked: FaultList) -> Faults:
        """Count the call; give its faults, or what is left of them where they have passed."""
        faults = asked.faults
        if faults.restart:
            self._histories.pop(asked.key, None)
        if faults.fail_first is None and faults.down_for is None:
            return faults
        now = self._clock()
        history = self._histories.setdefault(asked.key, _History(began=now))
        self._histories.move_to_end(asked.key)
        if len(self._histories) > _MOST_KEYS:
            self._histories.popitem(last=False)
        history.calls += 1
        if faults.fail_first is not None:
            lasting = history.calls <= faults.fail_first
        else:
            lasting = now < history.began + (faults.down_for or 0.0)
        return faults if lasting else Faults(tokens=faults.tokens)


def _text(model: str, header: bytes | None) -> str:
    if header is None:
        return model.removeprefix(fault_grammar.PREFIX) if fault_grammar.names_faults(model) else ""
    try:
        return header.decode("ascii")
    except UnicodeDecodeError:
        raise BadRequest("X-Mock-Faults: a list of faults is plain ASCII") from None
