"""Refuse a model that its caller's key is not good for."""

from collections.abc import Awaitable

from inference_gateway.server.errors import BadRequest, ModelNotAllowed
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.pipeline.chain import Handler
from inference_gateway.server.providers.model_rules import ModelRules
from inference_gateway.server.transport.messages import Response


class CallerModels:
    """Hold a request to the models of the key that it came with."""

    def __init__(self, rules: ModelRules) -> None:
        self._rules = rules

    def __call__(self, request: InferenceRequest, call_next: Handler) -> Awaitable[Response]:
        """Let the request on if its caller may use its model."""
        caller = request.principal
        if caller is not None and caller.allowed_models:
            if len(request.document.spellings("model")) > 1:
                # To a provider that ignores the case of names, another one may count than was checked.
                raise BadRequest("the model is given twice, in capitals and without")
            if not self._rules.is_among(caller.allowed_models, request.provider_id, request.upstream_model):
                model, provider_id = request.upstream_model, request.provider_id
                raise ModelNotAllowed(f"this key is not good for the model {model!r} of {provider_id!r}")
        return call_next(request)
