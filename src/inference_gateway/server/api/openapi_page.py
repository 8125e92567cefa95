"""The operations of the status page in the OpenAPI document, and what they answer with."""

from collections.abc import Mapping

import msgspec

from inference_gateway.server.api import ui
from inference_gateway.server.api.openapi_row import ANY, Operation
from inference_gateway.server.errors import Forbidden

_ERRORS = (*ANY, Forbidden)

PAGE_OPERATIONS: Mapping[str, Operation] = {
    "getPage": Operation(
        "Status page", "A page to look at the gateway and to try it. Its files are below.", "Page", ANY
    ),
    "uiStatus": Operation(
        "Status page",
        "Figures of all worker processes, which only ever grow but for those that say what is open: ask "
        "twice for what happened between. Without `TELEMETRY_ENABLED` or `LOG_ACCESS`, inference requests "
        "are counted from the first such request until nobody has asked for five minutes.",
        "UIStatus",
        _ERRORS,
    ),
    "uiErrors": Operation(
        "Status page",
        "The last requests that failed or were refused, in any worker process.",
        "UIMishaps",
        _ERRORS,
    ),
    "uiServices": Operation(
        "Status page",
        "Providers and their lists of models, MCP servers and agents with their tools, as the process sees "
        "them that answers. Old lists of models are asked for anew, and not waited for.",
        "UIServices",
        _ERRORS,
    ),
    "uiSettings": Operation(
        "Status page",
        "Every setting in effect. Secrets are masked.",
        "UIEffective",
        _ERRORS,
    ),
}

PAGE_TYPES: Mapping[str, type[msgspec.Struct]] = {
    each.__name__: each for each in (ui.UIStatus, ui.UIMishaps, ui.UIServices, ui.UIEffective)
}
"""What only the status page has, and no SDK knows."""
