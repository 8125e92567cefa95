"""Settings of the status page; `settings` has the rest, and says how they are read."""

from typing import Annotated

import msgspec
from msgspec import Meta


class UISettings(msgspec.Struct, frozen=True, kw_only=True):
    """The status page."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether the status page and its data are offered at `/ui`; the data needs a token."
        ),
    ] = True
