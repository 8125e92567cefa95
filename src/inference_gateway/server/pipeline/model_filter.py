"""Refuse a model that the operator does not serve."""

from collections.abc import Awaitable

from inference_gateway.server.errors import BadRequest
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.providers.model_rules import ModelRules
from inference_gateway.server.transport.messages import Response


class ModelFilter:
    """Hold a request to the rules by every name that its model goes by."""

    def __init__(self, rules: ModelRules) -> None:
        self._rules = rules

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on if its model is served."""
        if len(spellings := request.document.spellings("model")) > 1:
            # To a provider that ignores the case of names, another one may count than was checked.
            raise BadRequest(f"the model is given twice: {' and '.join(map(repr, spellings))}")
        self._rules.check(request.provider_id, request.upstream_model)
        return call_next(request)
