"""How long a server asks its caller to wait, from the headers of its answer. Pure.

https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
"""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]*)?")


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Read `Retry-After-Ms`, else `Retry-After` as seconds or as a date.

    :param headers: of the answer; names in any case if the mapping ignores it, else in lower case.
    :param now: Unix time in seconds, to which a date is compared; this moment if left out.
    :return: seconds, or None where nothing usable is said. A date that is past says nothing.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _SECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    return _until(value, time.time() if now is None else now) if value else None


def _until(date: str, now: float) -> float | None:
    try:
        seconds = parsedate_to_datetime(date).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None
