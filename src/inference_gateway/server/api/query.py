"""The query of a URL. No I/O."""

from urllib.parse import parse_qsl


def parameter(query: bytes, name: str) -> str:
    """Value of the first parameter of this name, empty where it is absent."""
    if not query:
        return ""
    for key, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=100):
        if key == name:
            return value
    return ""
