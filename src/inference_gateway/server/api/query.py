"""The query of a URL. No I/O."""

from urllib.parse import parse_qsl

from inference_gateway.server.errors import BadRequest

_MOST_PARAMETERS = 100


def parameter(query: bytes, name: str) -> str:
    """Value of the first parameter of this name, empty where it is absent.

    :raises BadRequest: more parameters than are read.
    """
    if not query:
        return ""
    text = query.decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise BadRequest(f"the query has more than {_MOST_PARAMETERS} parameters") from None
    return next((value for key, value in pairs if key == name), "")
