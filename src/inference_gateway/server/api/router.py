"""From a method and a path to an endpoint."""

import re
from collections.abc import Iterable

from inference_gateway.server.api.routes import Endpoint, Route
from inference_gateway.server.errors import MethodNotAllowed, NotFound
from inference_gateway.server.transport.messages import Request

# What a parameter matches: model ids have slashes, and so has the rest of a raw path.
_PARAMETERS = {"id": rb".+", "provider": rb"[^/]+", "agent": rb"[^/]+", "path": rb".*"}
_PARAMETER = re.compile(r"\{(\w+)\}")

Methods = dict[str, Endpoint]


class Router:
    """Fixed paths by look-up, templates in the order of the table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[bytes, Methods] = {}
        self._templates: list[tuple[re.Pattern[bytes], Methods]] = []
        self._texts: list[tuple[re.Pattern[bytes], str]] = []
        for route in routes:
            methods = dict.fromkeys(route.methods, route.endpoint)
            for path in route.paths:
                if "{" in path:
                    pattern = _pattern(path)
                    self._templates.append((pattern, methods))
                    self._texts.append((pattern, path))
                else:
                    self._fixed[path.encode("ascii")] = methods

    def find(self, request: Request) -> Endpoint:
        """Return the endpoint, and set the request's parameters.

        :raises NotFound: no such path.
        :raises MethodNotAllowed: the path takes other methods.
        """
        methods = self._fixed.get(request.path) or self._match(request)
        endpoint = methods.get(request.method)
        if endpoint is None:
            allowed = tuple(methods)
            raise MethodNotAllowed(f"this path takes {', '.join(allowed)}", allow=allowed)
        return endpoint

    def template(self, path: bytes) -> str:
        """Return the template that a path falls under, empty where there is none."""
        if path in self._fixed:
            return path.decode("ascii")
        return next((text for pattern, text in self._texts if pattern.fullmatch(path)), "")

    def _match(self, request: Request) -> Methods:
        for pattern, methods in self._templates:
            found = pattern.fullmatch(request.path)
            if found is not None:
                request.params = found.groupdict()
                return methods
        raise NotFound("there is nothing at this path")


def _pattern(template: str) -> re.Pattern[bytes]:
    def group(parameter: re.Match[str]) -> str:
        name = parameter[1]
        return f"(?P<{name}>{_PARAMETERS[name].decode('ascii')})"

    return re.compile(_PARAMETER.sub(group, template).encode("ascii"), re.DOTALL)
