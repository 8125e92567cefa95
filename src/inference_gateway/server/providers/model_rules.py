"""Which models an operator serves. An allow list wins over a deny list."""

from collections.abc import Mapping

from inference_gateway.server.errors import ModelNotAllowed
from inference_gateway.server.providers.registry import Provider


class ModelRules:
    """Lists of `model` or `provider/model`, in lower case, matched however a model was addressed."""

    def __init__(
        self, allowed: frozenset[str], denied: frozenset[str], providers: Mapping[str, Provider]
    ) -> None:
        self._allowed = allowed
        self._denied = denied
        self._providers = providers

    @property
    def active(self) -> bool:
        """Whether there is any rule."""
        return bool(self._allowed or self._denied)

    def permits(self, provider_id: str, model: str) -> bool:
        """Whether this provider's model is served; `model` is the provider's name for it."""
        if not self.active:
            return True
        if self._allowed:
            return self.is_among(self._allowed, provider_id, model)
        return not self.is_among(self._denied, provider_id, model)

    def is_among(self, listed: frozenset[str], provider_id: str, model: str) -> bool:
        """Whether a list, in lower case, has this provider's model by any of its names."""
        provider = self._providers.get(provider_id)
        prefix = provider.model_prefix if provider is not None else ""
        names = set()
        for name in (model.lower(), model.lower().removeprefix(prefix)):
            names |= {name, f"{provider_id}/{name}"}
        return not names.isdisjoint(listed)

    def check(self, provider_id: str, model: str) -> None:
        """Refuse what is not permitted.

        :raises ModelNotAllowed: this model is not served.
        """
        if not self.permits(provider_id, model):
            raise ModelNotAllowed(f"the model {model!r} of {provider_id!r} is not served here")
